// The version of Pillion's programs, as --version and /server_info say it.
#ifndef PILLION_CORE_VERSION_H_
#define PILLION_CORE_VERSION_H_

namespace pillion {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace pillion

#endif  // PILLION_CORE_VERSION_H_
