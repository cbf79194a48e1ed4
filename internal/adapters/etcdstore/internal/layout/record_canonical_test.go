package layout

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// canonicalRecord returns a record with a value in every member that the fast decoder reads.
func canonicalRecord() StoredRecord {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC)
	return StoredRecord{
		RuntimeRecord: runtime.RuntimeRecord{
			GameID: "a", Status: runtime.StatusRunning, Region: "eu-west", Node: "node-1", CurrentContainerID: "c1",
			CurrentImageRef: "registry.example/games/engine:1.4.2", ImageDigest: "sha256:abc", EngineEndpoint: "http://10.0.0.1:7777",
			StatePath: "/var/lib/games/é🎲", DockerNetwork: "games", Labels: map[string]string{"tier": "gold", "mode": "ranked"},
			Ports: []runtime.Port{{Name: "game", Protocol: runtime.ProtocolUDP, ContainerPort: 7777, Host: "203.0.113.7", Port: 20001}, {Name: "web", Protocol: runtime.ProtocolTCP, Host: "::1", Port: 80}},
			Condition: runtime.Condition{
				DesiredStatus: runtime.StatusRunning, Health: runtime.HealthHealthy, HealthSince: &at, Restarts: 3, CrashLoop: true, RestartPending: true, NodeLostAt: &at,
			},
			Generation: 2, CreatedAt: at, LastOpAt: at.Add(time.Nanosecond), StartedAt: &at, StoppedAt: &at, RemovedAt: &at,
			RequestCPUs: 1.25, RequestMemoryBytes: 1 << 30,
		},
		LastWrite: LastWrite{OperationID: "0a1b", Seq: 7, Kind: WriteTransition, HasNewerCondition: true},
	}
}

func kvOf(value string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte("/runtimes/a"), Value: []byte(value), CreateRevision: 5, ModRevision: 7}
}

// decodeBoth decodes the value by both decoders, and reports whether the fast one accepts it. It
// fails if the fast one accepts a value that the strict one rejects or decodes to another record.
func decodeBoth(t *testing.T, value string) (isCanonical bool) {
	t.Helper()
	for _, decoder := range []*RecordDecoder{{keys: NewKeys("")}, NewRecordDecoder(NewKeys("")), NewBulkDecoder(NewKeys(""))} {
		var fast, strict Record
		if isCanonical = decoder.decodeCanonical([]byte(value), "a", &fast.StoredRecord); !isCanonical {
			continue
		}
		require.NoError(t, NewKeys("").decodeStrict(kvOf(value), &strict), "the fast decoder has accepted %q", value)
		require.Equal(t, strict.StoredRecord, fast.StoredRecord, "decoded from %q", value)
	}
	return isCanonical
}

func TestRecordsAreDecodedByTheFastDecoder(t *testing.T) {
	t.Parallel()
	full := canonicalRecord()
	minimal := StoredRecord{RuntimeRecord: runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusStopped}}
	negative := full
	negative.Generation, negative.RequestCPUs, negative.Labels, negative.Ports = -1, 3, nil, nil
	for name, rec := range map[string]StoredRecord{"all members": full, "no optional members": minimal, "negative": negative} {
		value, err := encodeString(rec)
		require.NoError(t, err)
		require.True(t, decodeBoth(t, value), "%s: %s", name, value)
	}
}

func TestTheFastDecoderLeavesOtherValuesToTheStrictOne(t *testing.T) {
	t.Parallel()
	withOperation := canonicalRecord()
	withOperation.Operation = &runtime.OperationInProgress{ID: "x", Kind: "start"}
	withMetadata := canonicalRecord()
	withMetadata.Metadata = `{"a":1}`
	withUnknown := canonicalRecord()
	withUnknown.Unknown = []byte(`{"newer":true}`)
	for _, rec := range []StoredRecord{withOperation, withMetadata, withUnknown} {
		value, err := encodeString(rec)
		require.NoError(t, err)
		require.False(t, decodeBoth(t, value))
		var decoded Record
		_, err = NewBulkDecoder(NewKeys("")).Decode(kvOf(value), &decoded)
		require.NoError(t, err)
		rec.Schema, rec.Ready = recordSchema, rec.IsReady()
		require.Equal(t, rec, decoded.StoredRecord)
	}

	value, err := encodeString(canonicalRecord())
	require.NoError(t, err)
	for _, change := range [][2]string{
		{`{`, ` {`}, {`,`, `, `}, {`}`, `} `}, {`"a"`, `"b"`}, {`"a"`, `"\u0061"`}, {`running`, `paused`}, {`"region"`, `"Region"`},
		{`"generation":2`, `"generation":02`}, {`"generation":2`, `"generation":2.0`}, {`"generation":2`, `"generation":1234567890123456789`},
		{`"generation":2`, `"generation":-0`}, {`"generation":2`, `"generation":-`}, {`"generation":2`, `"generation":null`},
		{`1.25`, `1.`}, {`1.25`, `1e2`}, {`1.25`, `-1.25`}, {`1.25`, `.5`}, {`12:00:00.5Z`, `12:00:00.5+00:00`}, {`12:00:00.5Z`, `12:00:60Z`},
		{`12:00:00.5Z`, `12:00:00,5Z`}, {`2026-03-01`, `2026-02-30`}, {`"schema":1`, `"schema":2`}, {`"schema":1`, `"schema":0`}, {`"schema":1,`, ``},
		{`true`, `false`}, {`"tier":`, `"mode":`}, {`"labels":{`, `"labels":{,`}, {`"ports":[`, `"ports":[,`}, {`é`, "\xff"}, {`eu-west`, "eu\twest"},
		{`"region":"eu-west",`, ``}, {`"region":"eu-west",`, `"region":"eu-west","region":"eu-west",`}, {`"last_write"`, `"x":1,"last_write"`},
	} {
		require.Contains(t, value, change[0])
		require.False(t, decodeBoth(t, strings.Replace(value, change[0], change[1], 1)), "%q instead of %q", change[1], change[0])
	}
	for end := range len(value) {
		require.False(t, decodeBoth(t, value[:end]))
	}
}

func TestSharedTextHasNoMemoryOfTheValue(t *testing.T) {
	t.Parallel()
	value, err := encodeString(canonicalRecord())
	require.NoError(t, err)
	for _, decoder := range []*RecordDecoder{NewRecordDecoder(NewKeys("")), NewBulkDecoder(NewKeys(""))} {
		var first, second Record
		kv := kvOf(value)
		_, err = decoder.Decode(kv, &first)
		require.NoError(t, err)
		for i := range kv.Value {
			kv.Value[i] = 'x'
		}
		_, err = decoder.Decode(kvOf(value), &second)
		require.NoError(t, err)
		require.Equal(t, second, first)
	}
}

// FuzzCanonicalRecord compares the two decoders.
func FuzzCanonicalRecord(f *testing.F) {
	full, err := encodeString(canonicalRecord())
	require.NoError(f, err)
	short, err := encodeString(StoredRecord{RuntimeRecord: runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusStopped}})
	require.NoError(f, err)
	for _, value := range []string{full, short, minimal + `}`} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) { decodeBoth(t, string(value)) })
}

// BenchmarkDecodeRecord decodes a record by each decoder.
func BenchmarkDecodeRecord(b *testing.B) {
	rec := canonicalRecord()
	rec.Labels, rec.Ports = nil, nil
	value, err := encodeString(rec)
	require.NoError(b, err)
	kv := kvOf(value)
	b.Run("strict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var decoded Record
			if err := NewKeys("").decodeStrict(kv, &decoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, decoder := range map[string]*RecordDecoder{"one": NewRecordDecoder(NewKeys("")), "bulk": NewBulkDecoder(NewKeys(""))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var decoded Record
			for b.Loop() {
				if _, err := decoder.Decode(kv, &decoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// encodeString is EncodeRecord with a string, as the tests change it.
func encodeString(rec StoredRecord) (string, error) {
	value, err := EncodeRecord(rec)
	return string(value), err
}
