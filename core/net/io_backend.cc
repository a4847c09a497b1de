#include "core/net/io_backend.h"

#include "core/net/loop.h"

namespace pillion::net {

void IoOperation::OnCancel(const absl::Status& why) { loop_.io().Cancel(*this, why); }

}  // namespace pillion::net
