package chaos_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/netns"
)

// hasNamespaces reports whether processes can have hosts of their own on this machine.
func hasNamespaces() bool {
	bridge, err := netns.NewBridge()
	if err != nil {
		return false
	}
	_, err = bridge.AddHost()
	return bridge.Close() == nil && err == nil
}

// newBridge returns a bridge, which is closed after the processes of its hosts have ended.
func newBridge(t *testing.T) *netns.Bridge {
	t.Helper()
	bridge, err := netns.NewBridge()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bridge.Close()) })
	return bridge
}

// hostFaults returns what can happen to the packets of a process. Nothing closes its connections, unlike when a
// proxy does: TCP sends packets once more, later and later.
func (c testCluster) hostFaults() []chaos.Fault {
	var faults []chaos.Fault
	hosts := c.Hosts()
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		host := hosts[name]
		fault := func(kind string, begin func(*rand.Rand) (detail string, err error)) chaos.Fault {
			return chaos.Fault{Kind: kind, Target: name, Process: "host of " + name, MaxDuration: 4 * time.Second, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
				detail, err := begin(rng)
				return func(context.Context) error { return host.Repair() }, detail, err
			}}
		}
		faults = append(faults,
			fault("packets lost", func(rng *rand.Rand) (string, error) {
				share := 0.05 + rng.Float64()/3
				return fmt.Sprintf("%.0f %%", 100*share), host.Drop(share, netns.In, netns.Out)
			}),
			fault("host unreachable", func(*rand.Rand) (string, error) { return "", host.Drop(1, netns.In, netns.Out) }),
			fault("host unreachable in one direction", func(rng *rand.Rand) (string, error) {
				direction := []string{netns.In, netns.Out}[rng.IntN(2)]
				return direction, host.Drop(1, direction)
			}),
		)
	}
	return faults
}
