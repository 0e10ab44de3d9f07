package cloudflare

import (
	"context"
	"errors"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

const (
	// grace is how long a mutation whose answer was lost may still be under way
	// at Cloudflare before it counts as never received (assumed; Cloudflare
	// documents no limit).
	grace      = 6 * time.Second
	graceEvery = 2 * time.Second
)

// afterGrace lets look say no only when what it looks for has not shown up for
// as long as it may take.
func afterGrace[A, R any](look func(*Client, context.Context, A) (binding.Settlement[R], error)) func(*Client, context.Context, A) (binding.Settlement[R], error) {
	return func(c *Client, ctx context.Context, a A) (s binding.Settlement[R], err error) {
		err = clock.Poll(ctx, c.clock, grace, graceEvery, func(ctx context.Context) (bool, error) {
			s, err = look(c, ctx, a)
			return s.Landed != binding.No, err
		})
		if errors.Is(err, clock.ErrExpired) {
			err = nil
		}
		return s, err
	}
}
