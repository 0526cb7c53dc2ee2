/* functions_place: where something happened. */
#include <math.h>

#include "processor/expression/functions.h"
#include "processor/expression/number.h"
#include "processor/expression/stable_math.h"

static const double earth_radius_km = 6371.0088;               /* mean radius, IUGG */
static const double radians_per_degree = 0x1.1df46a2529d39p-6; /* the double nearest to pi / 180 */

static bool is_within(double x, double limit)
{
    return x >= -limit && x <= limit;
}

static double square(double x)
{
    return x * x;
}

/* Haversine: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984); in km. */
static double haversine_km(double lat1, double lon1, double lat2, double lon2)
{
    const double half_lat = (lat2 - lat1) * radians_per_degree / 2;
    const double half_lon = (lon2 - lon1) * radians_per_degree / 2;
    const double h = square(stable_sin(half_lat)) + stable_cos(lat1 * radians_per_degree) *
                                                        stable_cos(lat2 * radians_per_degree) *
                                                        square(stable_sin(half_lon));
    return 2 * earth_radius_km * stable_asin(sqrt(h < 1 ? h : 1));
}

FUNCTION_HEAD(function_distance_km)
{
    const double lat1 = number_to_double(&arguments[0]), lon1 = number_to_double(&arguments[1]);
    const double lat2 = number_to_double(&arguments[2]), lon2 = number_to_double(&arguments[3]);
    if (!is_within(lat1, 90) || !is_within(lat2, 90) || !is_within(lon1, 360) ||
        !is_within(lon2, 360))
        return value_null();
    return finite_double(haversine_km(lat1, lon1, lat2, lon2), context);
}
