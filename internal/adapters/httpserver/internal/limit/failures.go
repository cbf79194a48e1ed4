package limit

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstSeconds is how many seconds of failures a network may have at once.
	burstSeconds = 5
	// maxValidCredentials is the number of credentials that are known to be valid.
	maxValidCredentials = 10_000
)

// Failures bounds failed authentications by network, so that guessing is slow and its
// rejection costs little. A credential that was valid before is always checked: clients
// behind the same proxy must not block each other. It is safe for concurrent use.
type Failures struct {
	rate float64
	now  func() time.Time
	seed maphash.Seed

	mu       sync.Mutex // guards the following fields
	networks *table[rate.Limiter]
	valid    map[uint64]struct{} // hashes of credentials that were valid
}

// NewFailures returns the failures, none so far. A network may have perSecond of them, 0 for
// any number.
func NewFailures(perSecond float64, now func() time.Time) *Failures {
	create := func() *rate.Limiter {
		return rate.NewLimiter(rate.Limit(perSecond), max(1, int(burstSeconds*perSecond)))
	}
	isInUse := func(*rate.Limiter) bool { return false }
	return &Failures{rate: perSecond, now: now, seed: maphash.MakeSeed(), networks: newTable(maxCallers, create, isInUse), valid: map[uint64]struct{}{}}
}

// Admit returns a rejection if the network has too many failures and the credential, empty
// for none, is not known to be valid. Then the credential is not to be checked.
func (f *Failures) Admit(network, credential string) *Rejection {
	if f.rate == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	bucket := f.networks.find(network)
	if bucket == nil {
		return nil
	}
	tokens := bucket.TokensAt(f.now())
	if tokens >= 1 {
		return nil
	}
	if _, isKnown := f.valid[f.hash(credential)]; isKnown && credential != "" {
		return nil
	}
	return &Rejection{ReasonFailures, time.Duration((1 - tokens) / f.rate * float64(time.Second))}
}

// Record records the result of an authentication.
func (f *Failures) Record(network, credential string, isValid bool) {
	if f.rate == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	hash := f.hash(credential)
	if !isValid {
		delete(f.valid, hash)
		f.networks.get(network).AllowN(f.now(), 1)
		return
	}
	if _, isKnown := f.valid[hash]; isKnown || credential == "" {
		return
	}
	if len(f.valid) >= maxValidCredentials {
		for oldest := range f.valid { // in any order
			delete(f.valid, oldest)
			break
		}
	}
	f.valid[hash] = struct{}{}
}

// hash returns a hash that clients cannot predict.
func (f *Failures) hash(credential string) uint64 { return maphash.String(f.seed, credential) }
