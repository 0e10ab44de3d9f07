package fly

import (
	"context"
	"time"
)

// Fly allows one request a second of each action on each machine or app, three
// at once; machines may be read five times a second, ten at once. Source:
// https://fly.io/docs/machines/api/working-with-machines-api/#rate-limits
// One less at once is asked here, because requests arrive closer together than
// they leave.
const (
	actEvery  = time.Second
	actBurst  = 2
	readEvery = time.Second / 5
	readBurst = 9
)

// admit waits until one more request of action on subject keeps the limit. On
// a scaled clock the provider's limit is as much wider as its waits are shorter.
func (c *Client) admit(ctx context.Context, action, subject string) error {
	every, burst := actEvery, actBurst
	if action == actionGet {
		every, burst = readEvery, readBurst
	}
	speed := c.clock.Speed()
	every = time.Duration(float64(every) / speed)
	key := action + " " + subject
	c.mu.Lock()
	now := c.clock.Now()
	free := c.buckets[key] // when the bucket is full again
	if free.Before(now) {
		free = now
	}
	wait := free.Sub(now) - every*time.Duration(burst-1)
	c.buckets[key] = free.Add(every)
	c.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	return c.clock.Sleep(ctx, time.Duration(float64(wait)*speed))
}
