package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxCallers is the number of callers in a table; an entry takes about 400 bytes.
const maxCallers = 50_000

// Config bounds one caller. A zero bound is none.
type Config struct {
	// ReadRate and WriteRate are requests per second. A caller may send those of two seconds
	// at once.
	ReadRate, WriteRate float64
	// Concurrency is the number of requests in progress, without streams; Streams is the
	// number of open streams.
	Concurrency, Streams int
}

// Class is a kind of request, with bounds of its own.
type Class int

// The classes. A stream also counts as a read when it is opened.
const (
	Read Class = iota
	Write
	Stream
)

// Reason is the bound that a rejected request exceeds. It is also the label of a metric.
type Reason string

// The reasons.
const (
	ReasonRate        Reason = "rate"
	ReasonConcurrency Reason = "concurrency"
	ReasonStreams     Reason = "streams"
	ReasonFailures    Reason = "authentication"
	// ReasonConnections is that of package connlimit: the connections of one address.
	ReasonConnections Reason = "connections"
)

// Rejection is the reason why a request is not admitted.
type Rejection struct {
	Reason Reason
	// RetryAfter is when a retry may succeed.
	RetryAfter time.Duration
}

// Limiter admits requests. It is safe for concurrent use.
type Limiter struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex
	callers *table[caller]
}

// caller is what one caller uses; the mutex of the Limiter guards it.
type caller struct {
	reads, writes     *rate.Limiter // nil for no bound
	requests, streams int
}

// New returns a limiter. now is time.Now or a replacement.
func New(cfg Config, now func() time.Time) *Limiter {
	create := func() *caller {
		return &caller{reads: newBucket(cfg.ReadRate), writes: newBucket(cfg.WriteRate)}
	}
	isInUse := func(c *caller) bool { return c.requests+c.streams > 0 }
	return &Limiter{cfg: cfg, now: now, callers: newTable(maxCallers, create, isInUse)}
}

// newBucket returns a full bucket, and nil for no bound.
func newBucket(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(2*perSecond)))
}

// Permit is an admitted request. The zero Permit is valid.
type Permit struct {
	limiter *Limiter
	caller  *caller
	class   Class
}

// Admit admits a request of the caller, or returns the rejection. The caller of Admit
// releases the permit when the request has ended.
func (l *Limiter) Admit(name string, class Class) (Permit, *Rejection) {
	if l.cfg == (Config{}) {
		return Permit{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers.get(name)
	// The counts come first: a rejected request takes nothing from the bucket.
	if rejection := l.checkCounts(c, class); rejection != nil {
		return Permit{}, rejection
	}
	if rejection := take(c.bucket(class), l.now()); rejection != nil {
		return Permit{}, rejection
	}
	if class == Stream {
		c.streams++
	} else {
		c.requests++
	}
	return Permit{l, c, class}, nil
}

func (l *Limiter) checkCounts(c *caller, class Class) *Rejection {
	switch {
	case class == Stream && l.cfg.Streams > 0 && c.streams >= l.cfg.Streams:
		return &Rejection{ReasonStreams, time.Second}
	case class != Stream && l.cfg.Concurrency > 0 && c.requests >= l.cfg.Concurrency:
		return &Rejection{ReasonConcurrency, time.Second}
	}
	return nil
}

func (c *caller) bucket(class Class) *rate.Limiter {
	if class == Write {
		return c.writes
	}
	return c.reads
}

// take takes one token of the bucket, or returns when there will be one.
func take(bucket *rate.Limiter, now time.Time) *Rejection {
	if bucket == nil || bucket.AllowN(now, 1) {
		return nil
	}
	missing := 1 - bucket.TokensAt(now)
	return &Rejection{ReasonRate, time.Duration(missing / float64(bucket.Limit()) * float64(time.Second))}
}

// Release ends the request.
func (p Permit) Release() {
	if p.limiter == nil {
		return
	}
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	if p.class == Stream {
		p.caller.streams--
	} else {
		p.caller.requests--
	}
}
