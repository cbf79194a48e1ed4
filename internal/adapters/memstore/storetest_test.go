package memstore_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/memstore"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/ports/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStore runs every behaviour of the ports.
func TestStore(t *testing.T) {
	storetest.Run(t, harness())
}

func harness() storetest.Harness {
	var elections atomic.Int64
	return storetest.Harness{
		Open: func(*testing.T) ports.Store { return memstore.New() },
		Compact: func(t *testing.T, s ports.Store, revision int64) {
			require.NoError(t, s.(*memstore.Store).Compact(revision))
		},
		Delete: func(_ *testing.T, s ports.Store, gameID string) {
			s.(*memstore.Store).Delete(gameID)
		},
		Fences: &storetest.Fences{
			Grant: func(_ *testing.T, s ports.Store) ports.Fence {
				store := s.(*memstore.Store)
				fence := ports.Fence{Key: "/leaders/test", CreateRevision: 1 + elections.Add(1)}
				store.SetFence(fence.Key, fence.CreateRevision)
				return fence
			},
			Revoke: func(_ *testing.T, s ports.Store, fence ports.Fence) {
				s.(*memstore.Store).DropFence(fence.Key)
			},
		},
	}
}
