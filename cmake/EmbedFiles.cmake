# Turns files into one .cpp of raw bytes, so that the program carries them.
#
#   cmake -DOUTPUT=x.cpp -DHEADER=room/files.hpp -DNAMESPACE=a::b "-DFILES=kName=path;kOther=path" -P EmbedFiles.cmake
#
# HEADER declares `extern const std::string_view kName;` in NAMESPACE. Bytes, not string literals: the standard limits
# a literal's length, and no byte needs escaping.
set(content "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\nnamespace {\n")
set(views "")
foreach(entry IN LISTS FILES)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${entry}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND content "constexpr char bytes_of_${name}[] = {${bytes}'\\0'};\n")
  string(APPEND views "const std::string_view ${name}(bytes_of_${name}, sizeof(bytes_of_${name}) - 1);\n")
endforeach()
string(APPEND content "}  // namespace\n${views}}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${content}")
