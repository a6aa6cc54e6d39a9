// SPDX-License-Identifier: Apache-2.0
// A compiled index of any content, as a shim looks it up: an error or an answer, never the end of
// the shim. Mostly under checksums that fit, for else nothing behind them is reached.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "profiles/filter/index_reader.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/limits.h"

namespace {

using namespace ward;

node::v1::CompiledIndex sample() {
  node::v1::CompiledIndex index;
  index.set_format(filter::kFormat);
  for (const char* glob : {"web-*", "db", "*", "a*b"}) {
    auto& rule = *index.add_rules();
    rule.set_policy(glob);
    rule.mutable_selector()->add_containers(glob);
    rule.mutable_selector()->add_pods("p*");
  }
  index.add_profiles()->set_name("web");
  return index;
}

// The content of a good one: what is between the checksums and the end.
std::string content_of(const std::string& file) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, file.data() + filter::kMagicBytes, sizeof bytes);
  return file.substr(file.size() - bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string file = input;
  if (data[0] % 8 != 0) {
    static const std::string kGood = content_of(filter::write_index(sample()).value());
    std::string content = input;
    if (data[0] % 8 != 1) {
      content = kGood;
      content.replace(data[1] * kGood.size() / 256, std::min(input.size(), kGood.size() / 2),
                      input);
    }
    file = filter::seal_blocks(filter::kIndexMagic, content);
  }
  UniqueFd fd(::memfd_create("index", MFD_CLOEXEC));
  if (::write(fd.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size()))
    std::abort();
  auto reader = filter::IndexReader::open(std::move(fd));
  if (!reader) return 0;
  node::v1::Identity identity;
  identity.set_container_name("web-1");
  identity.set_pod("p-1");
  (void)reader->find_governing(identity);
  identity.set_is_sandbox(true);
  (void)reader->find_governing(identity);
  (void)reader->find_profile("web");
  if (const auto all = reader->read_all();
      all && all->rules_size() != static_cast<int>(reader->rules()))
    std::abort();
  return 0;
}
