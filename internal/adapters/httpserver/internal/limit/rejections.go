package limit

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logInterval is the time between two log lines about rejections.
const logInterval = time.Second

// RejectionCounter counts rejected requests in a metric, and logs at most one line per
// second, however many requests are rejected. It is safe for concurrent use.
type RejectionCounter struct {
	metric *prometheus.CounterVec
	logger *slog.Logger

	mu          sync.Mutex // guards the following fields
	counts      map[Reason]int
	isScheduled bool // a line will be logged
}

// NewRejectionCounter returns a counter. The only label of the metric is the reason.
func NewRejectionCounter(metric *prometheus.CounterVec, logger *slog.Logger) *RejectionCounter {
	return &RejectionCounter{metric: metric, logger: logger, counts: map[Reason]int{}}
}

// Add counts a rejected request of the caller.
func (c *RejectionCounter) Add(reason Reason, caller string) {
	c.metric.WithLabelValues(string(reason)).Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[reason]++
	if !c.isScheduled {
		c.isScheduled = true
		time.AfterFunc(logInterval, func() { c.log(caller) })
	}
}

// log logs the requests that were rejected since the line was scheduled. The caller is an
// example: that of the first of them.
func (c *RejectionCounter) log(caller string) {
	c.mu.Lock()
	counts := c.counts
	c.counts, c.isScheduled = map[Reason]int{}, false
	c.mu.Unlock()
	attributes := []any{"one_caller", caller}
	for reason, count := range counts {
		attributes = append(attributes, string(reason), count)
	}
	c.logger.Warn("requests exceeded the limits of their callers and were rejected", attributes...)
}
