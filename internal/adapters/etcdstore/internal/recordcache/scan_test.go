package recordcache_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

// labeledKV returns a random record, whose labels are of few keys and values.
func labeledKV(t testing.TB, gameID string, rng *rand.Rand, revision int64) *mvccpb.KeyValue {
	t.Helper()
	record := runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.Statuses()[rng.IntN(3)], Region: fmt.Sprint("r", rng.IntN(3)), Node: fmt.Sprint("n", rng.IntN(10)),
		CreatedAt: start, LastOpAt: start, Labels: map[string]string{},
	}
	for _, key := range []string{"env", "mode", "rare"} {
		if rng.IntN(3) > 0 && (key != "rare" || rng.IntN(20) == 0) {
			record.Labels[key] = fmt.Sprint("v", rng.IntN(4))
		}
	}
	value, err := layout.EncodeRecord(layout.StoredRecord{RuntimeRecord: record})
	require.NoError(t, err)
	return &mvccpb.KeyValue{Key: []byte(keys.Record(gameID)), Value: value, CreateRevision: 1, ModRevision: revision}
}

func parseSelector(t testing.TB, text string) runtime.LabelSelector {
	t.Helper()
	selector, err := labelselector.Parse("label_selector", text)
	require.NoError(t, err)
	return selector
}

// TestPagesOfAnyFilter changes records at random and compares the pages of many filters with the
// records that match.
func TestPagesOfAnyFilter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	cache := recordcache.New(keys)
	cache.Fill(recordcache.NewIndexes())
	filters := []ports.RecordFilter{
		{}, ports.FilterByStatus(runtime.StatusStopped),
		{Statuses: []runtime.Status{runtime.StatusStopped, runtime.StatusRunning, runtime.StatusStopped}},
		{Regions: []string{"r1", "none"}}, {Nodes: []string{"n1", "n3", "n5"}}, {GamePrefix: "game 0"}, {GamePrefix: "game 0", Nodes: []string{"n1"}},
		{Labels: parseSelector(t, "env=v1")}, {Labels: parseSelector(t, "env in (v1,v3),mode=v2")}, {Labels: parseSelector(t, "rare")},
		{Labels: parseSelector(t, "rare,env!=v1")}, {Labels: parseSelector(t, "env=none")}, {Labels: parseSelector(t, "!env")},
		{Labels: parseSelector(t, "mode=v1"), Regions: []string{"r2"}, Nodes: []string{"n2", "n4"}},
	}
	for revision := int64(1); revision <= 600; revision++ {
		gameID := fmt.Sprintf("game %03d", rng.IntN(200))
		event := deletion(gameID, revision)
		switch rng.IntN(8) {
		case 0:
		case 1:
			event = put(&mvccpb.KeyValue{Key: []byte(keys.Record(gameID)), Value: []byte("garbage"), ModRevision: revision})
		default:
			event = put(labeledKV(t, gameID, rng, revision))
		}
		cache.Apply([]*clientv3.Event{event}, revision, discard)
		if revision%100 != 0 {
			continue
		}
		snapshot := cache.Snapshot()
		all, err := snapshot.Page(ports.PageQuery{Limit: ports.MaxPageLimit})
		require.NoError(t, err)
		for _, filter := range filters {
			want := []string{}
			for _, v := range all.Records {
				if filter.Matches(v.Record) {
					want = append(want, v.Record.GameID)
				}
			}
			for _, limit := range []int{1, 7, ports.MaxPageLimit} {
				require.Equal(t, want, listGames(snapshot, ports.PageQuery{RecordFilter: filter, Limit: limit}), "%+v in pages of %d", filter, limit)
			}
		}
	}
}

func listGames(records *recordcache.Indexes, query ports.PageQuery) []string {
	games := []string{}
	for {
		page, err := records.Page(query)
		games = append(games, gamesOf(page, err)...)
		if page.Next == "" {
			return games
		}
		query.After = page.Next
	}
}

// TestScanReadsTheSmallestPart counts the records that a list reads.
func TestScanReadsTheSmallestPart(t *testing.T) {
	t.Parallel()
	records := recordcache.NewIndexes()
	for n := range 10_000 {
		records.AddAll(keys, []*mvccpb.KeyValue{kvOfLabels(t, n)})
	}
	for name, c := range map[string]struct {
		filter ports.RecordFilter
		most   int
	}{
		"one value":               {ports.RecordFilter{Labels: parseSelector(t, "match=m7")}, 10},
		"several values":          {ports.RecordFilter{Labels: parseSelector(t, "match in (m7,m8,m9)")}, 30},
		"a rare label":            {ports.RecordFilter{Labels: parseSelector(t, "canary")}, 10},
		"the rarest of two":       {ports.RecordFilter{Labels: parseSelector(t, "env=prod,match=m7"), Regions: []string{"eu"}}, 10},
		"a label on a node":       {ports.RecordFilter{Labels: parseSelector(t, "env=prod"), Nodes: []string{"n3", "n4"}}, 200},
		"a prefix":                {ports.RecordFilter{GamePrefix: "game-0001"}, 10},
		"a prefix with a label":   {ports.RecordFilter{GamePrefix: "game-0001", Labels: parseSelector(t, "env=prod")}, 10},
		"a value that none has":   {ports.RecordFilter{Labels: parseSelector(t, "match=none,env=prod")}, 0},
		"no label but a selector": {ports.RecordFilter{Labels: parseSelector(t, "!env")}, 10_000},
	} {
		read := 0
		records.Scan(&c.filter, "", func(*recordcache.Record) bool { read++; return true })
		require.LessOrEqual(t, read, c.most, name)
	}
}

// kvOfLabels returns the n-th of 10 000 records: a match has ten games, and ten have the label
// canary.
func kvOfLabels(t testing.TB, n int) *mvccpb.KeyValue {
	t.Helper()
	record := runtime.RuntimeRecord{
		GameID: fmt.Sprintf("game-%05d", n), Status: runtime.StatusRunning, Region: "eu", Node: fmt.Sprint("n", n%100), CreatedAt: start, LastOpAt: start,
		Labels: map[string]string{"env": "prod", "match": fmt.Sprint("m", n%1000)},
	}
	if n%1000 == 0 {
		record.Labels["canary"] = "yes"
	}
	value, err := layout.EncodeRecord(layout.StoredRecord{RuntimeRecord: record})
	require.NoError(t, err)
	return &mvccpb.KeyValue{Key: []byte(keys.Record(record.GameID)), Value: value, CreateRevision: 1, ModRevision: int64(n + 1)}
}

// BenchmarkList lists the games of a label from a cache of 100 000 records.
func BenchmarkList(b *testing.B) {
	records := recordcache.NewIndexes()
	for n := range 100_000 {
		records.AddAll(keys, []*mvccpb.KeyValue{kvOfLabels(b, n)})
	}
	for name, text := range map[string]string{"match=100": "match=m7", "match=100/rare": "canary", "match=100000/scan": "env!=dev", "match=0": "match=none"} {
		query := ports.PageQuery{Limit: ports.MaxPageLimit, RecordFilter: ports.RecordFilter{Labels: parseSelector(b, text)}}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				page, err := records.Page(query)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(page.Records)), "records")
			}
		})
	}
}

// BenchmarkSortedPage reads a page of a sorted list from a cache of 100 000 records.
func BenchmarkSortedPage(b *testing.B) {
	records := recordcache.NewIndexes()
	for n := range 100_000 {
		records.AddAll(keys, []*mvccpb.KeyValue{kvOfLabels(b, n)})
	}
	for _, order := range []ports.RecordOrder{{Field: "game_id", Descending: true}, {Field: "created_at"}, {Field: "node", Descending: true}} {
		for _, limit := range []int{100, 1000, ports.MaxPageLimit} {
			query := ports.PageQuery{Order: order, Limit: limit}
			b.Run(fmt.Sprintf("%s/limit=%d", order, limit), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := records.Page(query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkListAll copies 100 000 records, and shares them.
func BenchmarkListAll(b *testing.B) {
	records := recordcache.NewIndexes()
	for n := range 100_000 {
		kv := kvOfGame(b, n)
		records.AddAll(keys, []*mvccpb.KeyValue{kv})
	}
	b.Run("copied", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if found, _ := records.List(""); len(found) != records.Len() {
				b.Fatal(len(found))
			}
		}
	})
	b.Run("shared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			found := 0
			for range records.Records(&ports.RecordFilter{}) {
				found++
			}
			if found != records.Len() {
				b.Fatal(found)
			}
		}
	})
}

// kvOfGame returns the n-th of many running games without labels.
func kvOfGame(t testing.TB, n int) *mvccpb.KeyValue {
	t.Helper()
	record := runtime.RuntimeRecord{
		GameID: fmt.Sprintf("game-%07d", n), Status: runtime.StatusRunning, Region: "eu", Node: fmt.Sprint("n", n%100), CreatedAt: start, LastOpAt: start, StartedAt: &start,
		CurrentContainerID: fmt.Sprintf("%064d", n), CurrentImageRef: "registry.example/games/engine:1.4.2", EngineEndpoint: "http://10.0.0.1:7777", StatePath: fmt.Sprint("/var/lib/games/", n),
		Condition: runtime.Condition{Health: runtime.HealthHealthy, HealthSince: &start},
	}
	value, err := layout.EncodeRecord(layout.StoredRecord{RuntimeRecord: record})
	require.NoError(t, err)
	return &mvccpb.KeyValue{Key: []byte(keys.Record(record.GameID)), Value: value, CreateRevision: 1, ModRevision: int64(n + 1)}
}
