# weir_embed(target patterns...): the files become a C array each, found by name with
# embedded_find() of base/embedded.h.
function(weir_embed target)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
    file(GLOB files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${patterns})
    list(SORT files)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${target}.c)
    list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE paths)
    set(script ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake)
    # The names are part of the command, so a file added or removed makes it run again.
    add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DROOT=${PROJECT_SOURCE_DIR} "-DFILES=${files}"
            -P ${script}
        DEPENDS ${paths} ${script} VERBATIM)
    add_library(${target} STATIC ${output})
endfunction()
