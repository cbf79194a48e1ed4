package callers

import (
	"context"
	"errors"
	"time"

	"galaxy/rtmanager/internal/domain/access"
)

// Revocation detects that a caller has lost rights while its stream is open.
type Revocation struct {
	access Authenticator // nil: nothing is ever revoked
	caller Caller
	// changed is closed when rights may have changed; nil without an Authenticator.
	changed <-chan struct{}
}

// NewRevocation returns the revocation of the caller of a request, as of its present rights. A
// nil authenticator revokes nothing.
func NewRevocation(ctx context.Context, authenticator Authenticator) *Revocation {
	v := &Revocation{access: authenticator, caller: Of(ctx)}
	if v.access != nil {
		v.changed = v.access.Changed()
	}
	return v
}

// Caller returns the caller with the rights that it had at first.
func (v *Revocation) Caller() Caller { return v.caller }

// Changed returns a channel that is closed when the rights of the caller may have changed; nil if
// they never do. Check renews it.
func (v *Revocation) Changed() <-chan struct{} { return v.changed }

// checkInterval is the time between two checks whether the proof of a caller is still valid. A
// timer for its expiry would be late after a suspension of the machine, and useless if the clock
// was set back.
const checkInterval = 2 * time.Second

// Ticks returns a channel that receives when Check is to be called because of the time, and a
// function to release it.
func (v *Revocation) Ticks() (ticks <-chan time.Time, stop func()) {
	if v.access == nil || v.caller.Identity.ExpiresAt.IsZero() && v.caller.checkCertificate == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(checkInterval)
	return ticker.C, ticker.Stop
}

// Watch calls lost, with the reason, when the caller has lost its rights, until stop is called. Then
// the other methods must not be called.
func (v *Revocation) Watch(lost func(reason error)) (stop func()) {
	if v.access == nil {
		return func() {}
	}
	quit := make(chan struct{})
	go func() {
		ticks, release := v.Ticks()
		defer release()
		for {
			select {
			case <-quit:
				return
			case <-v.Changed():
			case <-ticks:
			}
			if err := v.Check(); err != nil {
				lost(err)
				return
			}
		}
	}()
	return func() { close(quit) }
}

// Check returns why the stream must end, and nil while the caller has the rights with which it
// has opened the stream.
func (v *Revocation) Check() error {
	if v.access == nil {
		return nil
	}
	v.changed = v.access.Changed() // before Rights, to miss no change
	if v.caller.checkCertificate != nil {
		if err := v.caller.checkCertificate(); err != nil {
			return err
		}
	}
	rights, err := v.access.Rights(v.caller.Identity)
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		return err
	case err != nil:
		return nil //nolint:nilerr // the rights are not known to have changed
	case rights.String() != v.caller.Granted().String():
		return &access.ForbiddenError{Subject: v.caller.Identity.Subject, Permission: access.PermissionRead, What: "this stream since its roles have changed; open a new one"}
	}
	return nil
}
