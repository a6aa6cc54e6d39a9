// SPDX-License-Identifier: Apache-2.0
// The identity of a profile: the SHA-256 of its canonical bytes, which leave the provenance out. It
// is on every event.
#pragma once

#include <string>

#include "profiles/profile.h"

namespace ward::profiles {

// Lists that mean sets sorted and without repeats, empty layers dropped. Equal meaning of those
// lists gives equal values.
Profile normalize(Profile profile);

std::string canonical_bytes(const Profile& profile);
std::string digest(const Profile& profile);  // 64 hexadecimal characters

}  // namespace ward::profiles
