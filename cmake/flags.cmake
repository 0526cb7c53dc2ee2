# Flags that hold for every file of ours. The same input must give the same bytes on every machine,
# hence -ffp-contract=off everywhere: fused multiply-add rounds once where two operations round twice.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Assertions are for our own bugs and stay on in a release: no -DNDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g")
# -O1: sanitized tests run three times faster than with -O0 and still step well in a debugger.
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

include_directories(${PROJECT_SOURCE_DIR})

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wvla -Werror -ffp-contract=off
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
# gcc 14 makes errors of these two; with them gcc 12 and clang do too.
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes;-Werror=implicit-function-declaration;-Werror=incompatible-pointer-types>")
# The only C++ is a shim around simdjson. It neither throws nor asks for types.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fno-rtti;-fno-exceptions>")
add_compile_definitions(WEIR_VERSION="${PROJECT_VERSION}")

if(WEIR_KILL_POINTS)
    add_compile_definitions(WEIR_KILL_POINTS)
endif()
if(WEIR_LTO)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
if(WEIR_NATIVE)
    add_compile_options(-march=native)
endif()
if(WEIR_SANITIZE)
    set(sanitizers -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_compile_options(${sanitizers})
    add_link_options(${sanitizers})
endif()
if(WEIR_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
if(WEIR_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(WEIR_HARDEN)
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        set(fortify 3)
    else()
        set(fortify 2)
    endif()
    # Distributions predefine the macro; a second value would be a warning.
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${fortify} -fstack-protector-strong
        -fstack-clash-protection)
    # -fPIE by hand: CMake would give -fPIC to the libraries, and with that gcc does not inline what
    # another library could replace.
    add_compile_options(-fPIE)
    add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        add_compile_options(-fcf-protection)
    endif()
endif()
