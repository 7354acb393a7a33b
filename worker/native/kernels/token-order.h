// The places of a sequence in the order of their tokens: what an embedding's gradient sums up by.

#ifndef TELETRAIN_KERNELS_TOKEN_ORDER_H_
#define TELETRAIN_KERNELS_TOKEN_ORDER_H_

#include <stdint.h>

#include <memory>

namespace teletrain {

// Sorts the places of a time-major sequence by their tokens, counting; each distinct token's places are
// ascending. There are fewer than 2^31 places.
class TokenOrder {
 public:
  // tokens: [batch, timesteps], each within the vocabulary
  TokenOrder(const int32_t* tokens, int64_t batch, int64_t timesteps, int64_t vocabulary) {
    const int64_t places = batch * timesteps;
    // How many places a token has, and then where the next one of it goes.
    std::unique_ptr<int[]> next(new int[vocabulary]());
    for (int64_t i = 0; i < places; i++) next[tokens[i]]++;
    for (int64_t token = 0; token < vocabulary; token++) rows_ += next[token] > 0 ? 1 : 0;
    distinct_.reset(new int32_t[rows_]);
    starts_.reset(new int[rows_ + 1]);
    int before = 0, row = 0;
    for (int64_t token = 0; token < vocabulary; token++) {
      const int count = next[token];
      if (count == 0) continue;
      starts_[row] = before;
      distinct_[row++] = static_cast<int32_t>(token);
      next[token] = before;
      before += count;
    }
    starts_[rows_] = before;
    order_.reset(new int[places]);
    for (int64_t step = 0, place = 0; step < timesteps; step++) {
      for (int64_t i = 0; i < batch; i++, place++) {
        order_[next[tokens[i * timesteps + step]]++] = static_cast<int>(place);
      }
    }
  }

  // How many tokens are distinct.
  int rows() const { return rows_; }
  const int32_t* distinct() const { return distinct_.get(); }  // [rows], ascending
  const int* starts() const { return starts_.get(); }  // [rows + 1]: where in `order` a row begins
  const int* order() const { return order_.get(); }    // [places]

 private:
  int rows_ = 0;
  std::unique_ptr<int32_t[]> distinct_;
  std::unique_ptr<int[]> starts_, order_;
};

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_TOKEN_ORDER_H_
