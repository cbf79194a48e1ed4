package etcd

import "context"

type reserveKey struct{}

// UseReserve returns a context whose write an embedded member accepts on a full disk, within
// a small budget. It is for writes without which a game could not be stopped or removed. Over
// the network it has no effect.
func UseReserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, reserveKey{}, true)
}

// MayUseReserve reports whether UseReserve has returned the context, or one that it comes from.
func MayUseReserve(ctx context.Context) bool { return ctx.Value(reserveKey{}) != nil }
