"""Values as people read them in messages and operands."""

from decimal import Decimal
from fractions import Fraction


def cents(amount):
    """An integer of cents as a decimal with two digits."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def double(number):
    """The shortest text that reads back as the number, laid out as ECMAScript does."""
    if number == 0:
        return "0"
    if number != number or number in (float("inf"), float("-inf")):
        return {True: "NaN"}.get(number != number, "Infinity" if number > 0 else "-Infinity")
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    digits = "".join(map(str, digits))
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    digits = stripped
    point = len(digits) + exponent  # number = 0.DIGITS * 10^point
    if point > 21 or point < -5:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{point - 1:+d}"
    elif point <= 0:
        text = "0." + "0" * -point + digits
    elif point >= len(digits):
        text = digits + "0" * (point - len(digits))
    else:
        text = digits[:point] + "." + digits[point:]
    return "-" * sign + text


def quotient(numerator, denominator):
    """One exact division, rounded once."""
    return float(Fraction(numerator, denominator))
