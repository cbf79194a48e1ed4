package layout

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/eu", "/eu/", "/eu//", "eu"} {
		k := NewKeys(prefix)
		clean := strings.TrimRight(prefix, "/")
		require.Equal(t, clean+"/runtimes/a%2Fb", k.Record("a/b"), "prefix %q", prefix)
		require.Equal(t, clean+"/runtimes-by-status/stopped/a%2Fb", k.StatusIndexKey(runtime.StatusStopped, "a/b"))
		require.Equal(t, clean+"/transitions/a%2Fb/00", k.LedgerEntry("a/b", 0))
		require.Equal(t, clean+"/transitions/a%2Fb/31", k.LedgerEntry("a/b", 31))
		require.Equal(t, clean+"/transitions/a%2Fb/01", k.LedgerEntry("a/b", 33))
		require.Equal(t, clean+"/meta/schema", k.Schema())
		require.Equal(t, clean+"/meta/deletion-epochs/c1", k.DeletionEpoch("a/b"))
		require.Equal(t, clean+"/meta/deletion-epochs/6c", k.DeletionEpoch("game"))
	}
}

// TestGameKeys requires that the keys of a game are those of Keys, and share no memory that an
// append could write.
func TestGameKeys(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/eu"} {
		for _, gameID := range []string{"game", "a/b", strings.Repeat("ä", 60)} {
			k := NewKeys(prefix)
			keys := k.OfGame(gameID)
			for _, key := range [][]byte{keys.Record, keys.Ledger, keys.LedgerEnd, keys.StatusIndex[0]} {
				_ = append(key, "overwritten"...)
			}
			require.Equal(t, k.Record(gameID), string(keys.Record))
			require.Equal(t, k.LedgerOf(gameID), string(keys.Ledger))
			require.Equal(t, etcd.PrefixEnd(k.LedgerOf(gameID)), string(keys.LedgerEnd))
			for _, status := range runtime.Statuses() {
				require.Equal(t, k.StatusIndexKey(status, gameID), string(keys.StatusIndexKey(status)))
			}
			require.Nil(t, keys.StatusIndexKey("unknown"))
			for _, seq := range []int64{0, 9, 10, 31, 32, 41, 1 << 40} {
				require.Equal(t, k.LedgerEntry(gameID, seq), string(keys.LedgerEntry(seq)))
			}
		}
	}
}

// TestFamiliesAreDisjoint requires that no family of keys is in the range of another, as a
// prefix without its slash would be.
func TestFamiliesAreDisjoint(t *testing.T) {
	t.Parallel()
	k := NewKeys("/eu")
	families := []string{k.Records(), k.StatusIndex(), k.Ledgers(), "/eu/meta/"}
	for i, a := range families {
		for j, b := range families {
			require.Equal(t, i == j, strings.HasPrefix(b, a), "%q is in the range of %q", b, a)
		}
	}
}

func TestForeignKeysAreRejected(t *testing.T) {
	t.Parallel()
	k := NewKeys("/eu")
	for _, key := range []string{
		"/eu/runtimes/", "/eu/runtimes/a/b", "/eu/runtimes/%2f", "/eu/runtimes/%zz", "/eu/runtimes/%",
		"/eu/runtimes/a%62", "/eu/runtimes/%00", "/eu/runtimes/.", "/eu/runtimes/%FF", "/eu/runtimes/a b",
		"/eu/runtimes/\xff", "/eu/runtimes/" + strings.Repeat("x", 257),
	} {
		_, err := k.GameOfRecord(key)
		require.Error(t, err, "%q was parsed as a record's key", key)
	}
	for _, key := range []string{
		"/eu/runtimes-by-status/paused/a", "/eu/runtimes-by-status/running", "/eu/runtimes-by-status/running/",
		"/eu/runtimes-by-status/running/a/b", "/eu/runtimes-by-status//a", "/eu/runtimes-by-status/Running/a",
	} {
		_, _, err := k.ParseStatusIndex(key)
		require.Error(t, err, "%q was parsed as an index key", key)
	}
	for _, key := range []string{
		"/eu/transitions/a", "/eu/transitions/a/", "/eu/transitions/a/1", "/eu/transitions/a/32", "/eu/transitions/a/-1",
		"/eu/transitions/a/+1", "/eu/transitions/a/00/0", "/eu/transitions/a/001", "/eu/transitions//00",
	} {
		_, _, err := k.ParseLedger(key)
		require.Error(t, err, "%q was parsed as a ledger key", key)
	}
}

func TestKeysOfDeletionEpochs(t *testing.T) {
	t.Parallel()
	k := NewKeys("/eu")
	for n := range 1000 {
		key := k.DeletionEpoch(strings.Repeat("x", n))
		require.True(t, k.IsDeletionEpoch(key), key)
	}
	for _, word := range []string{"", "0", "0x", "000", "100", "FF", "+1", "00/", "0/0"} {
		require.False(t, k.IsDeletionEpoch(k.DeletionEpochs()+word), word)
	}
	require.False(t, k.IsDeletionEpoch("00"))
}

// requireReversibleKeys requires that every key of the id returns the id, and has it as one
// printable segment.
func requireReversibleKeys(t *testing.T, k Keys, gameID string) {
	segment := EscapeGameID(gameID)
	if strings.Contains(segment, "/") || strings.ContainsFunc(segment, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.Fatalf("%q escapes to %q, which is not one printable segment", gameID, segment)
	}
	back, err := k.GameOfRecord(k.Record(gameID))
	if err != nil || back != gameID {
		t.Fatalf("record key of %q returns %q, %v", gameID, back, err)
	}
	status, back, err := k.ParseStatusIndex(k.StatusIndexKey(runtime.StatusRemoved, gameID))
	if err != nil || back != gameID || status != runtime.StatusRemoved {
		t.Fatalf("index key of %q returns %s %q, %v", gameID, status, back, err)
	}
	back, slot, err := k.ParseLedger(k.LedgerEntry(gameID, 45))
	if err != nil || back != gameID || slot != 13 {
		t.Fatalf("ledger key of %q returns %q slot %d, %v", gameID, back, slot, err)
	}
}

// requireDisjoint requires that two different ids share no key, and that the ranges of their
// ledgers are disjoint.
func requireDisjoint(t *testing.T, k Keys, a, b string) {
	if a == b {
		return
	}
	if EscapeGameID(a) == EscapeGameID(b) {
		t.Fatalf("%q and %q escape to the same %q", a, b, EscapeGameID(a))
	}
	if strings.HasPrefix(k.LedgerEntry(a, 1), k.LedgerOf(b)) || strings.HasPrefix(k.LedgerEntry(b, 1), k.LedgerOf(a)) {
		t.Fatalf("the ledgers of %q and %q are not disjoint", a, b)
	}
}

// TestOneMillionIDs escapes and unescapes a million random ids, and compares neighbors with
// each other.
func TestOneMillionIDs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	k := NewKeys("/eu")
	previous := "first"
	for range 1_000_000 {
		id := randomID(rng, previous)
		segment := EscapeGameID(id)
		back, err := UnescapeGameID(segment)
		if err != nil || back != id {
			t.Fatalf("%q escapes to %q and unescapes to %q, %v", id, segment, back, err)
		}
		if strings.IndexByte(segment, '/') >= 0 {
			t.Fatalf("%q escapes to %q, which is not one segment", id, segment)
		}
		requireDisjoint(t, k, id, previous)
		previous = id
	}
}

// alphabet has what an escaping could confuse.
var alphabet = []string{
	"a", "A", "0", "2", "F", "f", "/", "%", "%2F", "%25", "+", " ", ".", "..", "-", "_", "~", ":", "@", "?", "#", "&", "=", "\"", "\\",
	"é", "e\u0301", "🎲", "ש", "\u00a0", "\u200d", "\ufffd", "\U0010fffd",
}

// randomID returns a valid id: of the alphabet, or similar to the previous id, because
// similar ids are most likely to collide.
func randomID(rng *rand.Rand, previous string) string {
	for {
		var id string
		switch rng.IntN(4) {
		case 0:
			id = previous + alphabet[rng.IntN(len(alphabet))]
		case 1:
			id = EscapeGameID(previous)
		default:
			var b strings.Builder
			for range 1 + rng.IntN(8) {
				b.WriteString(alphabet[rng.IntN(len(alphabet))])
			}
			id = b.String()
		}
		if runtime.ValidateGameID(id) == nil {
			return id
		}
		previous = "next"
	}
}

func FuzzGameIDKey(f *testing.F) {
	for i, word := range alphabet {
		f.Add(word, alphabet[len(alphabet)-1-i])
	}
	f.Add("a/b", "a%2Fb")
	f.Add("a", "a/00")
	f.Add(strings.Repeat("🎲", 64), strings.Repeat("/", 256))
	f.Add("\xff", "\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		k := NewKeys("/eu")
		for _, id := range []string{a, b} {
			if runtime.ValidateGameID(id) != nil {
				continue
			}
			requireReversibleKeys(t, k, id)
		}
		if runtime.ValidateGameID(a) == nil && runtime.ValidateGameID(b) == nil {
			requireDisjoint(t, k, a, b)
		}
		// The other direction: a segment that unescapes is the segment of that id.
		if id, err := UnescapeGameID(a); err == nil {
			if EscapeGameID(id) != a || !utf8.ValidString(id) {
				t.Fatalf("%q unescapes to %q, whose segment is %q", a, id, EscapeGameID(id))
			}
		}
		if !bytes.Contains([]byte(etcd.PrefixEnd(k.LedgerOf(a))), []byte("/eu/transitions/")) {
			t.Fatalf("the ledger's range of %q leaves its family", a)
		}
	})
}
