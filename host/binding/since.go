package binding

import (
	"context"
	"time"
)

type sinceKey struct{}

// WithSince returns a context that says when the intent of a mutation was
// recorded: nothing that this mutation caused can be older.
func WithSince(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, sinceKey{}, at)
}

// Since is when the intent of the mutation was recorded, or the zero time when
// nobody said. Settled uses it to recognise the mutation's trace in a
// provider's history (the actions of a server) after a crash.
func Since(ctx context.Context) time.Time {
	at, _ := ctx.Value(sinceKey{}).(time.Time)
	return at
}
