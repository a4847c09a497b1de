#include "core/net/io_backend.h"

#include <algorithm>

#include "core/net/loop.h"

namespace pillion::net {

void IoOperation::Advance(size_t sent) {
  for (int i = 0; i < piece_count; ++i) {
    iovec& piece = pieces[static_cast<size_t>(i)];
    const size_t taken = std::min(sent, piece.iov_len);
    piece.iov_base = static_cast<char*>(piece.iov_base) + taken;
    piece.iov_len -= taken;
    sent -= taken;
  }
}

void IoOperation::OnCancel(const absl::Status& why) { loop_.io().Cancel(*this, why); }

}  // namespace pillion::net
