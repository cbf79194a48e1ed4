package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/network"
	"galaxy/rtmanager/internal/testkit/regions"
)

// chooseLine returns two regions and a kind of traffic.
func chooseLine(rng *rand.Rand) (a, b string, traffic network.Traffic) {
	names, kinds := regions.Names(), []network.Traffic{network.Peers, network.Clients, network.API}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[0], names[1], kinds[rng.IntN(len(kinds))]
}

// errNoConnection means that no connection can be reset.
var errNoConnection = errors.New("no connection is open")

// resetFault resets connections once.
func resetFault(n *network.Network) chaos.Fault {
	return chaos.Fault{Kind: "connections reset", Target: "network", MaxDuration: time.Second, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		a, b, traffic := chooseLine(rng)
		count := n.ResetConnections(a, b, traffic)
		detail := fmt.Sprintf("%s, %s, %s: %d connections", a, b, traffic, count)
		if count == 0 {
			return nil, detail, errNoConnection
		}
		return nil, detail, nil
	}}
}
