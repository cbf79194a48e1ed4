package embeddedetcd

import (
	"context"
	"fmt"
	"net"
	"net/url"
)

// addresses are where a member listens: ports that were free a moment ago.
type addresses struct{ client, peer url.URL }

// findAddresses tries the wanted addresses, which settles port 0 before etcd
// starts: etcd advertises what it was told, so it must be told the real port.
// It also gives the error for a port that is taken, with the flag to change.
func findAddresses(ctx context.Context, cfg Config) (addresses, error) {
	var found [2]url.URL
	var held [2]net.Listener
	defer func() {
		for _, l := range held {
			if l != nil {
				_ = l.Close()
			}
		}
	}()
	for i, wanted := range cfg.listens() {
		// Both are held until both are known, or port 0 could give one port twice.
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", wanted.host())
		if err != nil {
			return addresses{}, fmt.Errorf("etcd cannot listen on %s: %w; choose another address with %s", wanted.host(), err, wanted.flag)
		}
		held[i] = l
		found[i] = url.URL{Scheme: "http", Host: l.Addr().String()}
	}
	return addresses{client: found[0], peer: found[1]}, nil
}
