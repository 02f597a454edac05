add_repositories("of_this_tree $(env WSOLO_XMAKE_REPOSITORY)")
add_requires("wsolo $(env WSOLO_VERSION)")

target("consumer")
    set_kind("binary")
    set_languages("c++20")
    add_files("$(env WSOLO_ROOT)/test_package/test_package.cpp")
    add_packages("wsolo")
    add_defines('EXPECTED_VERSION="$(env WSOLO_VERSION)"')
