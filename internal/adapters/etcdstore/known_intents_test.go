package etcdstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

func intentAt(revision int64) ports.VersionedIntent {
	return ports.VersionedIntent{Intent: operation.Intent{GameID: "g"}, IntentVersion: ports.IntentVersion{Revision: revision}}
}

// requireKnown requires the revision of the known intent of the game; 0 for none.
func requireKnown(t *testing.T, k *knownIntents, revision int64) {
	t.Helper()
	intent, isKnown := k.get("g")
	require.Equal(t, revision != 0, isKnown)
	require.Equal(t, revision, intent.Revision)
}

func TestKnownIntentIsTheNewest(t *testing.T) {
	t.Parallel()
	k := newKnownIntents()
	since := k.begin()
	k.refresh(intentAt(4), since)
	requireKnown(t, k, 0)
	k.add(intentAt(5), since)
	k.add(intentAt(4), since)
	requireKnown(t, k, 5)
	k.expire("g", 7)
	requireKnown(t, k, 0)
	k.refresh(intentAt(7), since)
	requireKnown(t, k, 7)
}

func TestDeletedIntentIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(*knownIntents){
		"a failed compare": func(k *knownIntents) { k.expire("g", 0) },
		"a read":           func(k *knownIntents) { k.add(intentAt(0), k.begin()) },
		"a deletion":       func(k *knownIntents) { k.remove("g") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKnownIntents()
			k.add(intentAt(5), k.begin())
			drop(k)
			requireKnown(t, k, 0)
		})
	}
}

// TestIntentOfAnotherHistoryIsNotKnown adds a response of a request that was sent before etcd was
// restored: revisions of the restored history are lower.
func TestIntentOfAnotherHistoryIsNotKnown(t *testing.T) {
	t.Parallel()
	k := newKnownIntents()
	since := k.begin()
	k.reset()
	k.add(intentAt(1000), since)
	requireKnown(t, k, 0)
	k.add(intentAt(501), k.begin())
	requireKnown(t, k, 501)
}
