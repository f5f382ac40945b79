#include "exchange/zip_archive.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "exchange/zip_writer.hpp"
#include "support/torch_bytes.hpp"

namespace probedarts::exchange {
namespace {

using probedarts::testing::append_number;
using probedarts::testing::refusal_of;

/// Where the fields of the entry `index` stand in the directory of a file by ZipWriter.
std::size_t directory_entry(const std::string& content, int index) {
  std::size_t at = 0;
  for (int i = 0; i <= index; ++i) {
    at = content.find("PK\x01\x02", at + 1);
  }
  return at;
}

template <typename T>
void set_number(std::string& content, std::size_t at, std::uint64_t value) {
  std::string bytes;
  append_number<T>(bytes, value);
  content.replace(at, bytes.size(), bytes);
}

std::string two_entries() {
  ZipWriter zip;
  zip.add("f/a", "first");
  zip.add("f/b", std::string(100, 'b'));
  return zip.finish();
}

/// The sentence behind the name, opening the archive and reading f/a and f/b.
std::string zip_refusal(const std::string& content) {
  return refusal_of([&content]() {
    Allowance allowance("x", content.size());
    ZipArchive archive(content, allowance);
    archive.read("f/a");
    archive.read("f/b");
  });
}

std::string zip_why(const std::string& rest) { return "x: not a readable checkpoint: " + rest; }

const std::string kTruncated =
    "x: not a readable checkpoint: its zip directory is missing or damaged; the file is truncated";

/// A zip file whose only entry "f/a" holds `packed` and claims to unpack to `bytes`.
std::string deflated_entry(const std::string& packed, std::uint64_t bytes, std::uint32_t checksum) {
  ZipWriter zip;
  zip.add("f/a", packed);
  std::string content = zip.finish();
  const std::size_t entry = directory_entry(content, 0);
  set_number<std::uint16_t>(content, entry + 10, 8);
  set_number<std::uint32_t>(content, entry + 16, checksum);
  set_number<std::uint32_t>(content, entry + 24, bytes);
  return content;
}

std::string deflate_raw(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(bytes.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::uint32_t checksum(const std::string& bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string read_back(const std::string& content, const std::string& entry) {
  Allowance allowance("x", content.size());
  ZipArchive archive(content, allowance);
  return std::string(archive.read(entry));
}

TEST(ZipArchive, ReadsStoredEntriesWithoutCopying) {
  const std::string content = two_entries();
  Allowance allowance("x", content.size());
  ZipArchive archive(content, allowance);
  const std::string_view bytes = archive.read("f/a");
  EXPECT_EQ(bytes, "first");
  EXPECT_GE(bytes.data(), content.data());
  EXPECT_LT(bytes.data(), content.data() + content.size());
  EXPECT_TRUE(archive.has("f/b"));
  EXPECT_FALSE(archive.has("f/c"));
  EXPECT_EQ(archive.folder_of("a"), "f");
  EXPECT_EQ(archive.folder_of("c"), "");
}

TEST(ZipArchive, AlignsWhatItsWriterWrites) {
  const std::string content = two_entries();
  EXPECT_EQ(content.find("first") % 64, 0U);
  EXPECT_EQ(content.find("bbbb") % 64, 0U);
}

TEST(ZipArchive, UnpacksDeflatedEntries) {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) {
    bytes += static_cast<char>(i * i % 251);
  }
  EXPECT_EQ(read_back(deflated_entry(deflate_raw(bytes), bytes.size(), checksum(bytes)), "f/a"),
            bytes);
  EXPECT_EQ(read_back(deflated_entry(deflate_raw(""), 0, 0), "f/a"), "");
}

TEST(ZipArchive, FindsItsDirectoryBeforeAComment) {
  std::string content = two_entries();
  set_number<std::uint16_t>(content, content.size() - 2, 7);
  EXPECT_EQ(read_back(content + "comment", "f/a"), "first");
}

TEST(ZipArchive, ReadsZip64Sizes) {
  ZipWriter zip;
  zip.add("f/a", "first");
  std::string content = zip.finish();
  const std::size_t directory = directory_entry(content, 0);
  const std::string end = content.substr(content.size() - 22);
  std::string entry = content.substr(directory, 46 + 3);
  std::string extra;
  append_number<std::uint16_t>(extra, 0x7777);  // a field of others
  append_number<std::uint16_t>(extra, 2);
  append_number<std::uint16_t>(extra, 0);
  append_number<std::uint16_t>(extra, 1);
  append_number<std::uint16_t>(extra, 24);
  append_number<std::uint64_t>(extra, 5);
  append_number<std::uint64_t>(extra, 5);
  append_number<std::uint64_t>(extra, 0);
  set_number<std::uint32_t>(entry, 20, 0xffffffff);
  set_number<std::uint32_t>(entry, 24, 0xffffffff);
  set_number<std::uint32_t>(entry, 42, 0xffffffff);
  set_number<std::uint16_t>(entry, 30, extra.size());
  content = content.substr(0, directory) + entry + extra;
  const std::size_t record = content.size();
  append_number<std::uint32_t>(content, 0x06064b50);
  append_number<std::uint64_t>(content, 44);
  content.append(12, '\0');  // versions and disks
  append_number<std::uint64_t>(content, 1);
  append_number<std::uint64_t>(content, 1);
  append_number<std::uint64_t>(content, record - directory);
  append_number<std::uint64_t>(content, directory);
  append_number<std::uint32_t>(content, 0x07064b50);
  append_number<std::uint32_t>(content, 0);
  append_number<std::uint64_t>(content, record);
  append_number<std::uint32_t>(content, 1);
  std::string last = end;
  set_number<std::uint32_t>(last, 12, 0xffffffff);
  set_number<std::uint32_t>(last, 16, 0xffffffff);
  EXPECT_EQ(read_back(content + last, "f/a"), "first");
}

TEST(ZipArchive, RefusesEveryTruncation) {
  const std::string content = two_entries();
  for (std::size_t length = 0; length < content.size(); ++length) {
    EXPECT_EQ(zip_refusal(content.substr(0, length)), kTruncated) << length;
  }
}

TEST(ZipArchive, RefusesAChecksumThatIsWrong) {
  std::string content = two_entries();
  content[content.find("first")] = 'F';
  EXPECT_EQ(zip_refusal(content), zip_why("'f/a' in it is damaged: its checksum is wrong"));
}

TEST(ZipArchive, RefusesAnEntryLongerThanTheFile) {
  std::string content = two_entries();
  set_number<std::uint32_t>(content, directory_entry(content, 1) + 20, 0xfffffff0);
  EXPECT_EQ(zip_refusal(content), zip_why("'f/b' in it is said to be longer than the file"));
}

TEST(ZipArchive, RefusesAnEntryThatLiesElsewhere) {
  std::string content = two_entries();
  set_number<std::uint32_t>(content, directory_entry(content, 1) + 42, 3);
  EXPECT_EQ(zip_refusal(content), zip_why("'f/b' in it does not lie where its directory says"));
}

TEST(ZipArchive, RefusesOverlappingEntries) {
  std::string content = two_entries();
  set_number<std::uint32_t>(content, directory_entry(content, 1) + 42, 0);
  set_number<std::uint32_t>(content, directory_entry(content, 1) + 20, 5);
  set_number<std::uint32_t>(content, directory_entry(content, 1) + 24, 5);
  EXPECT_EQ(zip_refusal(content), zip_why("entries of its zip directory share bytes"));
}

TEST(ZipArchive, RefusesTwoEntriesOfOneName) {
  std::string content = two_entries();
  content[directory_entry(content, 1) + 46 + 2] = 'a';
  EXPECT_EQ(zip_refusal(content), zip_why("it holds 'f/a' twice"));
}

TEST(ZipArchive, RefusesEncryptionAndUnknownMethods) {
  std::string content = two_entries();
  const std::string sentence = zip_why("'f/a' in it is encrypted or packed by an unknown method");
  set_number<std::uint16_t>(content, directory_entry(content, 0) + 8, 1);
  EXPECT_EQ(zip_refusal(content), sentence);
  content = two_entries();
  set_number<std::uint16_t>(content, directory_entry(content, 0) + 10, 99);
  EXPECT_EQ(zip_refusal(content), sentence);
}

TEST(ZipArchive, RefusesTwoSizesOfAStoredEntry) {
  std::string content = two_entries();
  set_number<std::uint32_t>(content, directory_entry(content, 0) + 24, 6);
  EXPECT_EQ(zip_refusal(content), zip_why("'f/a' in it has two different sizes"));
}

TEST(ZipArchive, RefusesABombBeforeUnpackingIt) {
  const std::string zeros(std::size_t{80} << 20, '\0');
  const std::string packed = deflate_raw(zeros);
  EXPECT_LT(packed.size(), 100'000U);
  EXPECT_EQ(zip_refusal(deflated_entry(packed, zeros.size(), checksum(zeros))),
            zip_why("it would unpack to more than 64 MiB, far more than its own length"));
  // Claiming less than there is changes nothing.
  EXPECT_EQ(zip_refusal(deflated_entry(packed, 1000, 0)), zip_why("'f/a' in it is damaged"));
}

TEST(ZipArchive, RefusesDeflatedDataThatAreNone) {
  EXPECT_EQ(zip_refusal(deflated_entry("\xff\xff\xff\xff", 100, 0)),
            zip_why("'f/a' in it is damaged"));
  EXPECT_EQ(zip_refusal(deflated_entry(deflate_raw("text"), 5, 0)),
            zip_why("'f/a' in it is damaged"));
  EXPECT_EQ(zip_refusal(deflated_entry(deflate_raw("text") + "x", 4, 0)),
            zip_why("'f/a' in it is damaged"));
}

}  // namespace
}  // namespace probedarts::exchange
