// Package gamemetrics has the metrics of games and of what a node does with them.
//
//	games.go       Games: numbers of games, from the cached records
//	operations.go  Operations: operations in progress of a node
//	restarts.go    Remediator: restarts of crashed games
//	health.go      Prober: health checks
//	leader.go      Election: regions that a node leads
//
// The last three are decorators of ports.
package gamemetrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Records visits the cached records of a store.
type Records interface {
	// VisitCached calls visit for every record and returns the revision of the records. It
	// returns false, and visits none, if the cache does not hold every record.
	VisitCached(visit func(*runtime.RuntimeRecord)) (revision int64, isSynced bool)
	// CachedRevision returns the revision of the cache.
	CachedRevision() int64
}

// Games collects the numbers of games of a store. Every daemon of the store reports the same ones. It
// counts at a scrape, and only if the cache has another revision than at the scrape before.
//
// Games is safe for concurrent use.
type Games struct {
	records Records
	region  string // of this daemon

	games, health, ready, lost, crashLoops, restarts *prometheus.Desc

	mu       sync.Mutex
	revision int64
	counts   counts
}

// counts are the numbers of games at one revision.
type counts struct {
	byStatus map[[2]string]int // status, region
	byHealth map[[2]string]int // health, region; of running games
	byRegion map[string]*regionCounts
}

type regionCounts struct {
	ready, lost, crashLoops int
	restarts                int64
}

// NewGames returns the collector of the records. It also reports the region of the daemon, with 0 games
// while that has none.
func NewGames(records Records, region string) *Games {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("rtmanager_"+name, help, labels, nil)
	}
	return &Games{
		records:    records,
		region:     region,
		games:      desc("games", "Games of the store, by status and region.", "status", "region"),
		health:     desc("games_health", "Running games of the store, by health and region.", "health", "region"),
		ready:      desc("games_ready", "Games of the store that are ready, by region.", "region"),
		lost:       desc("games_node_lost", "Games of the store on lost nodes, by region.", "region"),
		crashLoops: desc("games_crash_loop", "Games of the store that have no restart left, by region.", "region"),
		restarts:   desc("games_restarts", "Restarts after crashes within the windows of the games, by region.", "region"),
	}
}

// Describe implements prometheus.Collector.
func (g *Games) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.games, g.health, g.ready, g.lost, g.crashLoops, g.restarts} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. It reports nothing while the cache does not hold every
// record: 0 games would be wrong.
func (g *Games) Collect(out chan<- prometheus.Metric) {
	counts, isSynced := g.count()
	if !isSynced {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for labels, n := range counts.byStatus {
		gauge(g.games, float64(n), labels[0], labels[1])
	}
	for labels, n := range counts.byHealth {
		gauge(g.health, float64(n), labels[0], labels[1])
	}
	for region, n := range counts.byRegion {
		gauge(g.ready, float64(n.ready), region)
		gauge(g.lost, float64(n.lost), region)
		gauge(g.crashLoops, float64(n.crashLoops), region)
		gauge(g.restarts, float64(n.restarts), region)
	}
}

// count returns the numbers of games at the current revision.
func (g *Games) count() (counts, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.revision > 0 && g.records.CachedRevision() == g.revision {
		return g.counts, true
	}
	next := counts{byStatus: map[[2]string]int{}, byHealth: map[[2]string]int{}, byRegion: map[string]*regionCounts{}}
	next.addRegion(g.region)
	revision, isSynced := g.records.VisitCached(next.add)
	if !isSynced {
		return counts{}, false
	}
	g.revision, g.counts = revision, next
	return next, true
}

// addRegion adds a region without games: a series that is absent at 0 cannot be alerted on.
func (c *counts) addRegion(name string) *regionCounts {
	region := &regionCounts{}
	c.byRegion[name] = region
	for _, status := range runtime.Statuses() {
		c.byStatus[[2]string{string(status), name}] = 0
	}
	for _, health := range runtime.Healths() {
		c.byHealth[[2]string{string(health), name}] = 0
	}
	return region
}

func (c *counts) add(r *runtime.RuntimeRecord) {
	region := c.byRegion[r.Region]
	if region == nil {
		region = c.addRegion(r.Region)
	}
	c.byStatus[[2]string{string(r.Status), r.Region}]++
	if r.Status == runtime.StatusRunning && r.Health != "" {
		c.byHealth[[2]string{string(r.Health), r.Region}]++
	}
	if r.Ready {
		region.ready++
	}
	if r.NodeLostAt != nil {
		region.lost++
	}
	if r.CrashLoop {
		region.crashLoops++
	}
	region.restarts += r.Restarts
}
