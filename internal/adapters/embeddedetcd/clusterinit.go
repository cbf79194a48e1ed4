package embeddedetcd

import "context"

// requireNoPeers returns an error if members of a cluster expect a member at the peer address.
func requireNoPeers(context.Context, Config, addresses) error { return nil }
