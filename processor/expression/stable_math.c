#include "processor/expression/stable_math.h"

#include <sleef.h>

double stable_sin(double x)
{
    return Sleef_cinz_sind1_u10purec(x);
}

double stable_cos(double x)
{
    return Sleef_cinz_cosd1_u10purec(x);
}

double stable_tan(double x)
{
    return Sleef_cinz_tand1_u10purec(x);
}

double stable_asin(double x)
{
    return Sleef_cinz_asind1_u10purec(x);
}

double stable_acos(double x)
{
    return Sleef_cinz_acosd1_u10purec(x);
}

double stable_atan(double x)
{
    return Sleef_cinz_atand1_u10purec(x);
}

double stable_atan2(double y, double x)
{
    return Sleef_cinz_atan2d1_u10purec(y, x);
}

double stable_exp(double x)
{
    return Sleef_cinz_expd1_u10purec(x);
}

double stable_log(double x)
{
    return Sleef_cinz_logd1_u10purec(x);
}

double stable_log10(double x)
{
    return Sleef_cinz_log10d1_u10purec(x);
}

double stable_pow(double x, double y)
{
    return Sleef_cinz_powd1_u10purec(x, y);
}
