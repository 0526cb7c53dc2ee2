/*
 * stable_math: transcendental functions whose results are the same on every machine.
 *
 * libm's differ between processors (it picks variants with fused multiply-add at run time) and
 * between releases. These are SLEEF's `Sleef_cinz_*d1_u10purec`: plain C without FMA and without a
 * choice at run time, at most 1.0 ULP off. Compared bit by bit, the releases 3.5.1 (Debian 12) and
 * 3.6.1 (Debian 13) agree, and tests/unit/expression/test_stable_math.c holds digests that must
 * never change. sqrt, floor, ceil, round and fmod of libm are exact by IEEE 754: no need for care.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_STABLE_MATH_H
#define WEIR_PROCESSOR_EXPRESSION_STABLE_MATH_H

double stable_sin(double x);
double stable_cos(double x);
double stable_tan(double x);
double stable_asin(double x);
double stable_acos(double x);
double stable_atan(double x);
double stable_atan2(double y, double x);
double stable_exp(double x);
double stable_log(double x);
double stable_log10(double x);
double stable_pow(double x, double y);

#endif
