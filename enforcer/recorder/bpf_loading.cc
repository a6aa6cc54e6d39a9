// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/bpf_loading.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>

namespace ward::recorder {
namespace {

// libbpf explains itself line by line on stderr; the first line that is a warning is the one for
// people.
std::string& last_complaint() {
  static thread_local std::string line;
  return line;
}

int keep_complaint(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string line = text.data();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  if (last_complaint().empty()) last_complaint() = line.substr(0, line.find('\n'));
  return 0;
}

}  // namespace

void keep_first_complaint() {
  libbpf_set_print(keep_complaint);
  last_complaint().clear();
}

tl::unexpected<Error> refused(std::string why) {
  const int error = errno;
  if (error == EPERM)
    return fail_errno(why + " (wardd needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN)", error);
  if (!last_complaint().empty()) why += " (" + last_complaint() + ")";
  return fail_errno(why, error);
}

bool kernel_has_tracepoint(const std::string& name) {
  const std::unique_ptr<btf, void (*)(btf*)> types{btf__load_vmlinux_btf(), btf__free};
  return types &&
         btf__find_by_name_kind(types.get(), ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF) > 0;
}

}  // namespace ward::recorder
