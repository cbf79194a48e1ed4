package tlsfiles

import "time"

// SetClock replaces the clock by which the pair decides when to read its files.
func (p *KeyPair) SetClock(now func() time.Time) {
	p.source.now, p.source.checkedAt = now, now()
}

// SetClock replaces the clock by which the pool decides when to read its file.
func (p *Pool) SetClock(now func() time.Time) {
	p.source.now, p.source.checkedAt = now, now()
}
