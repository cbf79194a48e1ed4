package layout

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

// encodeBoth encodes the record by both encoders, and reports whether the fast one accepts it. It
// fails if the two values differ.
func encodeBoth(t *testing.T, rec StoredRecord) (isCanonical bool) {
	t.Helper()
	fast, isCanonical := encodeCanonical(&rec)
	if isCanonical {
		strict, err := encodeStrict(rec)
		require.NoError(t, err, "%+v", rec)
		require.Equal(t, string(strict), string(fast))
	}
	return isCanonical
}

func encodeEntryBoth(t *testing.T, entry StoredLedgerEntry) (isCanonical bool) {
	t.Helper()
	fast, isCanonical := encodeCanonicalEntry(&entry)
	if isCanonical {
		strict, err := encodeStrictEntry(entry)
		require.NoError(t, err, "%+v", entry)
		require.Equal(t, string(strict), string(fast))
	}
	return isCanonical
}

// fullEntry returns a ledger entry with a value in every member.
func fullEntry() StoredLedgerEntry {
	return StoredLedgerEntry{
		Seq: 41, From: runtime.StatusRunning, To: runtime.StatusStopped, At: time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), OperationID: "op_1",
		Actor: "alice", Reason: "é", ContainerID: "c1", Image: "a:1", ContentsHash: "0123456789abcdef",
	}
}

func TestRecordsAreEncodedByTheFastEncoder(t *testing.T) {
	t.Parallel()
	full := canonicalRecord()
	full.Labels = map[string]string{"tier": "gold"} // the JSON package does not sort them
	minimal := StoredRecord{RuntimeRecord: runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusStopped}}
	negative := full
	negative.Generation, negative.Restarts, negative.RequestMemoryBytes, negative.LastWrite.Seq = -1, -2, -3, math.MinInt64
	for name, rec := range map[string]StoredRecord{"all members": full, "no optional members": minimal, "negative": negative} {
		require.True(t, encodeBoth(t, rec), name)
	}
	require.True(t, encodeEntryBoth(t, fullEntry()))
	require.True(t, encodeEntryBoth(t, StoredLedgerEntry{}))
}

// TestWhatTheFastEncoderLeaves is written by the JSON package, or rejected by it.
func TestWhatTheFastEncoderLeaves(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 3600)
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*StoredRecord){
		"an operation":           func(r *StoredRecord) { r.Operation = &runtime.OperationInProgress{ID: "a"} },
		"metadata":               func(r *StoredRecord) { r.Metadata = `{"a":1}` },
		"unknown members":        func(r *StoredRecord) { r.Unknown = []byte(`{"newer":1}`) },
		"a quote":                func(r *StoredRecord) { r.StatePath = `a"b` },
		"a backslash in a label": func(r *StoredRecord) { r.Labels = map[string]string{`a\b`: "c"} },
		"a control character":    func(r *StoredRecord) { r.Ports[0].Host = "a\x1fb" },
		"invalid UTF-8":          func(r *StoredRecord) { r.Node = "\xff" },
		"another time zone":      func(r *StoredRecord) { r.CreatedAt = r.CreatedAt.In(east) },
		"a year of five digits":  func(r *StoredRecord) { r.NodeLostAt = &late },
		"an exponent":            func(r *StoredRecord) { r.RequestCPUs = 1e-7 },
		"an infinite number":     func(r *StoredRecord) { r.RequestCPUs = math.Inf(1) },
		"a negative number":      func(r *StoredRecord) { r.RequestCPUs = -1 },
	} {
		rec := canonicalRecord()
		change(&rec)
		require.False(t, encodeBoth(t, rec), name)
	}
	entry := fullEntry()
	entry.Reason = "a\nb"
	require.False(t, encodeEntryBoth(t, entry))
}

// FuzzEncodeRecord compares the two encoders for records and ledger entries of any text.
func FuzzEncodeRecord(f *testing.F) {
	f.Add("a", "b", uint64(1))
	f.Add("é<>&\u2028\x7f", "\u0000", uint64(2))
	f.Fuzz(func(t *testing.T, first, second string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		text := func() string { return []string{first, second, "", "plain"}[random.IntN(4)] }
		at := func() time.Time { return time.Unix(random.Int64N(1<<38)-1<<37, random.Int64N(1e9)).UTC() }
		optional := func() *time.Time {
			value := at()
			return []*time.Time{nil, &value}[random.IntN(2)]
		}
		number := func() float64 { return math.Float64frombits(random.Uint64()) }
		encodeBoth(t, StoredRecord{
			RuntimeRecord: runtime.RuntimeRecord{
				GameID: text(), Status: runtime.Status(text()), Region: text(), Node: text(), CurrentContainerID: text(), CurrentImageRef: text(), ImageDigest: text(),
				EngineEndpoint: text(), StatePath: text(), DockerNetwork: text(), Labels: map[string]string{text(): text()},
				Ports:     []runtime.Port{{Name: text(), Protocol: runtime.Protocol(text()), ContainerPort: random.IntN(2), Host: text(), Port: random.Int()}},
				Condition: runtime.Condition{DesiredStatus: runtime.Status(text()), Health: runtime.Health(text()), HealthSince: optional(), NodeLostAt: optional(), Restarts: int64(random.Uint64())},
				Ready:     random.IntN(2) == 0, Generation: random.Int64(), CreatedAt: at(), LastOpAt: at(), StartedAt: optional(), RequestCPUs: number(), RequestMemoryBytes: random.Int64(),
			},
			LastWrite: LastWrite{OperationID: text(), Seq: random.Int64(), Kind: WriteKind(text())},
		})
		encodeEntryBoth(t, StoredLedgerEntry{
			Seq: random.Int64(), From: runtime.Status(text()), To: runtime.Status(text()), At: at(), OperationID: text(), Actor: text(), Reason: text(),
			ContainerID: text(), Image: text(), ContentsHash: text(),
		})
	})
}

// BenchmarkEncodeRecord encodes a record by each encoder.
func BenchmarkEncodeRecord(b *testing.B) {
	rec := canonicalRecord()
	rec.Labels, rec.Ports = nil, nil
	b.Run("strict", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := encodeStrict(rec); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("canonical", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, isEncoded := encodeCanonical(&rec); !isEncoded {
				b.Fatal("not encoded")
			}
		}
	})
}
