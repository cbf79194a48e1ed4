package memstore_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/intenttest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStore runs the conformance suite of the store ports.
func TestStore(t *testing.T) {
	storetest.Run(t, harness())
}

// TestIntents runs the conformance suite of ports.IntentStore.
func TestIntents(t *testing.T) {
	fences := harness().Fences
	intenttest.Run(t, intenttest.Harness{
		Open:  func(*testing.T) ports.IntentStore { return memstore.New() },
		Grant: func(t *testing.T, s ports.IntentStore) node.Fence { return fences.Grant(t, s.(*memstore.Store)) },
		Revoke: func(t *testing.T, s ports.IntentStore, fence node.Fence) {
			fences.Revoke(t, s.(*memstore.Store), fence)
		},
	})
}

func harness() storetest.Harness {
	var elections atomic.Int64
	return storetest.Harness{
		Open: func(*testing.T) storetest.Store { return memstore.New() },
		Compact: func(t *testing.T, s storetest.Store, revision int64) {
			require.NoError(t, s.(*memstore.Store).Compact(revision))
		},
		Conditions: func(s storetest.Store) ports.ConditionWriter { return s.(*memstore.Store) },
		Delete: func(_ *testing.T, s storetest.Store, gameID string) {
			s.(*memstore.Store).DeleteKeys(gameID)
		},
		Fences: &storetest.Fences{
			Grant: func(_ *testing.T, s storetest.Store) node.Fence {
				store := s.(*memstore.Store)
				fence := node.Fence{Key: "/leaders/test", CreateRevision: 1 + elections.Add(1)}
				store.SetFence(fence.Key, fence.CreateRevision)
				return fence
			},
			Revoke: func(_ *testing.T, s storetest.Store, fence node.Fence) {
				s.(*memstore.Store).DeleteFence(fence.Key)
			},
		},
	}
}
