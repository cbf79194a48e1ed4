package oidc

import (
	"crypto/sha256"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/access"
)

// maxVerified bounds the cache. A token of 8 KiB takes far less than that in it.
const maxVerified = 4096

// verifiedTokens caches the identities of valid tokens, since verifying a signature takes
// longer than all other work of a request. It is safe for concurrent use.
//
// An entry belongs to one set of keys: a new set, which may lack the key of the token, makes
// all entries invalid. Only valid tokens have an entry, so that other callers cannot fill the
// cache.
type verifiedTokens struct {
	mu         sync.Mutex
	generation int // of the keys
	identities map[[sha256.Size]byte]access.Identity
}

// find returns the identity of a token that was verified with the keys of the generation and
// has not expired.
func (c *verifiedTokens) find(token string, generation int, now time.Time) (access.Identity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return access.Identity{}, false
	}
	identity, isVerified := c.identities[sha256.Sum256([]byte(token))]
	return identity, isVerified && now.Before(identity.ExpiresAt)
}

// add adds a token that was verified with the keys of the generation.
func (c *verifiedTokens) add(token string, generation int, identity access.Identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case generation < c.generation:
		return
	case generation > c.generation || c.identities == nil || len(c.identities) >= maxVerified:
		c.generation, c.identities = generation, map[[sha256.Size]byte]access.Identity{}
	}
	c.identities[sha256.Sum256([]byte(token))] = identity
}
