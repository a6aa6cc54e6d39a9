// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/calibration_program.h"

#include <elf.h>

#include <cstring>
#include <string_view>

namespace ward::recorder {
namespace {

using namespace std::string_view_literals;

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
constexpr std::string_view kWait =
    "\xb8\x01\x00\x00\x00"  // mov eax, 1 (write)
    "\xbf\x01\x00\x00\x00"  // mov edi, 1
    "\x48\x89\xe6"          // mov rsi, rsp
    "\xba\x01\x00\x00\x00"  // mov edx, 1
    "\x0f\x05"              // syscall
    // Then poll({fd 1, no events}, 1, -1), which ends with POLLERR when the other end of the pipe
    // is closed, also by the death of wardd: a container that nobody waits for goes by itself.
    "\x6a\x01"              // push 1: a pollfd of 8 bytes, {fd = 1, events = 0, revents = 0}
    "\xb8\x07\x00\x00\x00"  // again: mov eax, 7 (poll)
    "\x48\x89\xe7"          // mov rdi, rsp
    "\xbe\x01\x00\x00\x00"  // mov esi, 1
    "\x83\xca\xff"          // or edx, -1 (no time limit)
    "\x0f\x05"              // syscall
    "\xff\xc8"              // dec eax: zero when one descriptor has something to say
    "\x75\xea"              // jne again: a signal
    "\xb8\x3c\x00\x00\x00"  // mov eax, 60 (exit)
    "\x31\xff"              // xor edi, edi
    "\x0f\x05"sv;           // syscall
constexpr std::string_view kExit =
    "\xb8\x3c\x00\x00\x00"  // mov eax, 60 (exit)
    "\x31\xff"              // xor edi, edi
    "\x0f\x05"sv;           // syscall
#else
constexpr Elf64_Half kMachine = EM_NONE;
constexpr std::string_view kWait, kExit;
#endif

std::string make_static_program(std::string_view code) {
  if (code.empty()) return "";
  constexpr Elf64_Addr kAddress = 0x400000;
  constexpr std::size_t kHeaders = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  Elf64_Ehdr file{};
  std::memcpy(file.e_ident, ELFMAG, SELFMAG);
  file.e_ident[EI_CLASS] = ELFCLASS64;
  file.e_ident[EI_DATA] = ELFDATA2LSB;
  file.e_ident[EI_VERSION] = EV_CURRENT;
  file.e_type = ET_EXEC;
  file.e_machine = kMachine;
  file.e_version = EV_CURRENT;
  file.e_entry = kAddress + kHeaders;
  file.e_phoff = sizeof(Elf64_Ehdr);
  file.e_ehsize = sizeof(Elf64_Ehdr);
  file.e_phentsize = sizeof(Elf64_Phdr);
  file.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_vaddr = segment.p_paddr = kAddress;
  segment.p_filesz = segment.p_memsz = kHeaders + code.size();
  segment.p_align = 0x1000;
  std::string program(reinterpret_cast<const char*>(&file), sizeof(file));
  program.append(reinterpret_cast<const char*>(&segment), sizeof(segment));
  return program.append(code);
}

}  // namespace

std::string waiting_program() { return make_static_program(kWait); }
std::string exiting_program() { return make_static_program(kExit); }

}  // namespace ward::recorder
