// SPDX-License-Identifier: Apache-2.0
#include "shim/command/start_options.h"

#include "containerd/options.pb.h"

namespace ward::shim::command {

Result<StartOptions> parse_start_options(std::string_view input,
                                         std::string_view containerd_namespace,
                                         std::string_view id) {
  StartOptions result;
  if (input.empty()) return result;
  const auto size = static_cast<int>(input.size());
  containerd::BootstrapParams params;
  if (params.ParseFromArray(input.data(), size) && params.instance_id() == id &&
      params.namespace_() == containerd_namespace) {
    result.socket_directory = params.socket_dir();
    for (const auto& extension : params.extensions()) {
      // Extensions of other kinds than runtime options are not for us.
      if (auto options = runtime::decode_options(extension.value()))
        result.runtime = std::move(*options);
    }
    return result;
  }
  containerd::Any any;
  if (!any.ParseFromArray(input.data(), size)) {
    return fail(Code::kInvalidArgument,
                "the " + std::to_string(input.size()) +
                    " bytes on standard input are neither runtime options nor bootstrap "
                    "parameters as containerd writes them: is it a version that this shim "
                    "knows (docs/shim-contract.md)?");
  }
  auto options = runtime::decode_options(any);
  if (!options) return tl::unexpected(options.error());
  result.runtime = std::move(*options);
  return result;
}

}  // namespace ward::shim::command
