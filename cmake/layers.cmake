# weir_layer(name folder libraries...): the folder's *.c (and *.cpp) become the library weir_<name>,
# which links every layer added before it and none after it. A folder without sources is skipped.
# WEIR_LAYERS holds the libraries so far, the newest first: the order in which a linker wants them;
# WEIR_LAYERS_UP_TO_<name> those that existed once <name> was added.
set(WEIR_LAYERS "")

function(weir_layer name folder)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c
        ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(sources)
        add_library(weir_${name} STATIC ${sources})
        target_link_libraries(weir_${name} PUBLIC ${WEIR_LAYERS} ${ARGN})
        list(PREPEND WEIR_LAYERS weir_${name})
    endif()
    set(WEIR_LAYERS ${WEIR_LAYERS} PARENT_SCOPE)
    set(WEIR_LAYERS_UP_TO_${name} ${WEIR_LAYERS} PARENT_SCOPE)
endfunction()

# weir_find(PREFIX module): the pkg-config module as target PkgConfig::PREFIX.
macro(weir_find prefix module)
    pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET GLOBAL ${module})
endmacro()
