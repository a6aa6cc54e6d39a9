// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"
#include "cli/options.h"

#include <grpcpp/client_context.h>

#include <memory>

#include "cli/app.h"
#include "cli/candidates.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

constexpr const char* kBash =
    R"(# bash completion of ward. In ~/.bashrc: source <(ward completion bash)
_ward() {
  local current=${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("${line%%$'\t'*}")
    fi
  done < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _ward ward
)";

constexpr const char* kZsh = R"(#compdef ward
# zsh completion of ward. Put it as _ward into a directory of $fpath, or: source <(ward completion zsh)
_ward() {
  local -a lines candidates
  local line files
  lines=("${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    if [[ $line == :files ]]; then
      files=1
    else
      candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    fi
  done
  (( $#candidates )) && _describe ward candidates
  [[ -n $files ]] && _files
}
(( $+functions[compdef] )) && compdef _ward ward
)";

constexpr const char* kFish =
    R"(# fish completion of ward. Put it into ~/.config/fish/completions/ward.fish
function __ward_candidates
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in ($before[1] complete $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c ward -f -a '(__ward_candidates)'
)";

constexpr std::chrono::seconds kPatienceOfATypist{1};

// Whoever named it: what a shell would have to quote is not offered.
bool is_plain(const std::string& name) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@:";
  return !name.empty() && name.front() != '-' && name.front() != ':' &&
         name.find_first_not_of(kPlain) == std::string::npos;
}

template <typename Request, typename Response>
Response asked(Session& session,
               grpc::Status (ward::v1::Ward::Stub::*question)(grpc::ClientContext*, const Request&,
                                                              Response*)) {
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceOfATypist));
  Response answer;
  if (!(session.api().*question)(&context, Request(), &answer).ok()) return {};
  return answer;
}

std::vector<std::string> names_of(Session& session, std::string_view value) {
  using Stub = ward::v1::Ward::Stub;
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (is_plain(name)) names.push_back(name);
  };
  if (value == kContainerValue) {
    const auto all = asked(session, &Stub::ListContainers);
    for (const auto& c : all.containers()) {
      add(c.kubernetes_namespace().empty()
              ? c.id()
              : c.kubernetes_namespace() + "/" + c.pod() + "/" + c.name());
    }
  } else if (value == kWorkloadValue) {
    const auto all = asked(session, &Stub::ListRecordings);
    for (const auto& recording : all.recordings()) add(recording.workload());
  } else if (value == kProfileValue) {
    const auto all = asked(session, &Stub::ListProfiles);
    for (const auto& profile : all.profiles()) add(profile.name());
  }
  return names;
}

}  // namespace

void print_candidates(const CLI::App& app, const std::vector<std::string>& words,
                      Session& session) {
  // As the command line will have it.
  for (std::size_t i = 0; i + 2 < words.size(); ++i) {
    if (words[i] == "--run-dir") session.places.run = words[i + 1];
  }
  const auto found =
      complete(app, words, [&](std::string_view value) { return names_of(session, value); });
  for (const Candidate& candidate : found.words)
    session.print(candidate.text + "\t" + candidate.description + "\n");
  if (found.files) session.print(":files\n");
}

void add_completion(CLI::App& app, Session& session) {
  auto* verb =
      add_verb(app, "completion", "Print a script that lets a shell complete what ward takes");
  verb->footer(examples({"ward completion bash", "ward completion zsh", "ward completion fish"}));
  const auto shell = std::make_shared<std::string>();
  add_value(*verb, "shell", *shell, "whose")->required()->check(one_of({"bash", "zsh", "fish"}));
  verb->callback([&session, shell] {
    session.print(*shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish);
  });
}

}  // namespace ward::cli
