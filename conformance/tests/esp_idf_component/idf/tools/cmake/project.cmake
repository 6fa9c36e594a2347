# A stand-in of ESP-IDF's build system: what the component uses of it, and in the same order.
#
# - Build properties are those of an imported target, which generator expressions can read.
# - Options come from the real kconfgen, as sdkconfig, sdkconfig.cmake and sdkconfig.json, and CMake
#   runs again when sdkconfig changes.
# - A component's project_include.cmake is included, then all CMakeLists.txt run, and only then the
#   flash targets get the app: the component cannot rely on its place among the others.
# - Files to flash are kept in the properties IMAGES, FLASH_FILE and FLASH_ENTRY, and written to
#   flash_args and flash_json when the build system is generated.
#
# Variables of the test: PYTHON, SDKCONFIG, IDF_TARGET; STAND_IN_KEEPS_NO_IMAGES for an ESP-IDF that
# keeps the files in another way.

add_library(__idf_build_target STATIC IMPORTED GLOBAL)

function(idf_build_set_property property value)
    set_property(TARGET __idf_build_target PROPERTY ${property} "${value}")
endfunction()

function(idf_build_get_property variable property)
    if("GENERATOR_EXPRESSION" IN_LIST ARGN)
        set(${variable} "$<TARGET_PROPERTY:__idf_build_target,${property}>" PARENT_SCOPE)
    else()
        get_property(value TARGET __idf_build_target PROPERTY ${property})
        set(${variable} "${value}" PARENT_SCOPE)
    endif()
endfunction()

function(idf_component_register)
endfunction()

function(fail_at_build_time target)
    set(lines)
    foreach(line ${ARGN})
        list(APPEND lines COMMAND ${CMAKE_COMMAND} -E echo "${line}")
    endforeach()
    add_custom_target(${target} ALL ${lines} COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
endfunction()

function(stand_in_flash_target name)
    idf_build_get_property(build_dir BUILD_DIR)
    add_custom_target(${name} COMMAND ${CMAKE_COMMAND} -E echo "flashing with ${name}_args")
    add_dependencies(${name} partition_table_bin)
    set(args "--flash-mode dio\n$<JOIN:$<TARGET_PROPERTY:${name},IMAGES>,\n>\n")
    set(json "{\"flash_files\": {$<JOIN:$<TARGET_PROPERTY:${name},FLASH_FILE>,, >},
$<JOIN:$<TARGET_PROPERTY:${name},FLASH_ENTRY>,,
>}\n")
    # Twice, because the file's name is a generator expression inside of a property.
    foreach(kind args json)
        set(first "${CMAKE_BINARY_DIR}/first/${name}_${kind}")
        file(GENERATE OUTPUT "${first}" CONTENT "${${kind}}")
        file(GENERATE OUTPUT "${build_dir}/${name}_${kind}" INPUT "${first}")
    endforeach()
endfunction()

function(stand_in_flash_image target name offset file)
    if(STAND_IN_KEEPS_NO_IMAGES)
        set_property(TARGET ${target} APPEND PROPERTY FLASH_LIST "${offset}=${file}")
        return()
    endif()
    set_property(TARGET ${target} APPEND PROPERTY IMAGES "${offset} ${file}")
    set_property(TARGET ${target} APPEND PROPERTY FLASH_FILE "\"${offset}\" : \"${file}\"")
    set_property(TARGET ${target} APPEND PROPERTY FLASH_ENTRY
        "\"${name}\" : { \"offset\" : \"${offset}\", \"file\" : \"${file}\", \"encrypted\" : \"false\" }")
endfunction()

macro(project name)
    # The name of a built-in command that was redefined.
    _project(${name} NONE)
    set(build_dir "${CMAKE_BINARY_DIR}")
    idf_build_set_property(BUILD_DIR "${build_dir}")
    idf_build_set_property(PROJECT_DIR "${CMAKE_SOURCE_DIR}")
    idf_build_set_property(PYTHON "${PYTHON}")
    idf_build_set_property(IDF_TARGET "${IDF_TARGET}")
    idf_build_set_property(SDKCONFIG_JSON "${build_dir}/config/sdkconfig.json")
    idf_build_set_property(EXECUTABLE_NAME "${name}")

    file(MAKE_DIRECTORY "${build_dir}/config" "${build_dir}/partition_table")
    execute_process(
        COMMAND "${PYTHON}" -m kconfgen --kconfig "$ENV{IDF_PATH}/Kconfig"
            --config "${SDKCONFIG}" --defaults "${CMAKE_SOURCE_DIR}/sdkconfig.defaults"
            --env "IDF_TARGET=${IDF_TARGET}"
            --env "COMPONENT_KCONFIG_PROJBUILD=${EXTRA_COMPONENT_DIRS}/Kconfig.projbuild"
            --output config "${SDKCONFIG}"
            --output cmake "${build_dir}/config/sdkconfig.cmake"
            --output json "${build_dir}/config/sdkconfig.json"
        COMMAND_ERROR_IS_FATAL ANY)
    include("${build_dir}/config/sdkconfig.cmake")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${SDKCONFIG}")

    set(table "${build_dir}/partition_table/partition-table.bin")
    set(make_table "${PYTHON}" "$ENV{IDF_PATH}/table.py"
        "${CMAKE_SOURCE_DIR}/${CONFIG_PARTITION_TABLE_CUSTOM_FILENAME}"
        "${CONFIG_PARTITION_TABLE_OFFSET}" "${IDF_TARGET}")
    execute_process(COMMAND ${make_table} "${build_dir}/partition_table/first.bin"
        OUTPUT_VARIABLE app_offset OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    add_custom_command(OUTPUT "${table}" COMMAND ${make_table} "${table}"
        DEPENDS "${CMAKE_SOURCE_DIR}/${CONFIG_PARTITION_TABLE_CUSTOM_FILENAME}" VERBATIM)
    add_custom_target(partition_table_bin ALL DEPENDS "${table}")

    set(PROJECT_BIN "$<TARGET_PROPERTY:__idf_build_target,EXECUTABLE_NAME>.bin")
    add_custom_target(app ALL COMMAND ${CMAKE_COMMAND} -E echo app > "${build_dir}/${name}.bin")
    stand_in_flash_target(flash)

    foreach(component ${EXTRA_COMPONENT_DIRS} "${CMAKE_SOURCE_DIR}/main")
        if(EXISTS "${component}/project_include.cmake")
            include("${component}/project_include.cmake")
        endif()
    endforeach()
    foreach(component ${EXTRA_COMPONENT_DIRS} "${CMAKE_SOURCE_DIR}/main")
        get_filename_component(folder "${component}" NAME)
        add_subdirectory("${component}" "${build_dir}/esp-idf/${folder}")
    endforeach()

    # What esptool_py and partition_table do in their own CMakeLists.txt.
    stand_in_flash_target(app-flash)
    foreach(target flash app-flash)
        stand_in_flash_image(${target} app "${app_offset}" "${PROJECT_BIN}")
        add_dependencies(${target} app)
    endforeach()
    stand_in_flash_image(flash partition_table "${CONFIG_PARTITION_TABLE_OFFSET}"
        "partition_table/partition-table.bin")
endmacro()
