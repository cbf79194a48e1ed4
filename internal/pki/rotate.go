package pki

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/atomicfile"
)

// ErrRotating reports that an authority is already being replaced.
var ErrRotating = errors.New("the authority is already being replaced")

// RotateCA starts to replace authorities. The new ones issue all further certificates, and the
// files of trusted authorities contain the new and the previous one. Programs must have these
// files before they receive a certificate of the new authority. It returns ErrRotating if one of
// them is being replaced.
func (d *Directory) RotateCA(kinds []Kind, validity time.Duration) error {
	if err := checkValidity("CA", validity); err != nil {
		return err
	}
	previous := map[Kind]storedAuthority{}
	for _, kind := range kinds {
		ca, err := d.load(kind)
		if err != nil {
			return err
		}
		if ca.isRotating {
			return fmt.Errorf("rotate CA %s: %w", kind, ErrRotating)
		}
		previous[kind] = ca
	}
	for _, kind := range kinds {
		created, err := newAuthority("rtmanager "+string(kind)+" CA", d.now(), validity)
		if err != nil {
			return err
		}
		if err := d.writeAuthority(kind, created, created.cert, previous[kind].cert); err != nil {
			return err
		}
	}
	return d.copyAuthorities()
}

// FinishRotation removes the previous authorities from the files of trusted ones. It returns
// an error if one of them has issued a certificate that was not renewed, and if none of them
// is being replaced.
func (d *Directory) FinishRotation(kinds []Kind) error {
	leaves, err := d.Leaves()
	if err != nil {
		return err
	}
	var pending []string
	for _, leaf := range leaves {
		if leaf.IsReplaced && slices.Contains(kinds, leaf.Issuer) {
			pending = append(pending, leaf.CertFile)
		}
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d certificates are still those of the previous authority, such as %s; renew them first", len(pending), pending[0])
	}
	hasFinished := false
	for _, kind := range kinds {
		ca, err := d.load(kind)
		if err != nil {
			return err
		}
		if !ca.isRotating {
			continue
		}
		if err := atomicfile.Write(d.file(kind.caFile()), encodeCerts(ca.cert)); err != nil {
			return err
		}
		hasFinished = true
	}
	if err := d.copyAuthorities(); err != nil || hasFinished {
		return err
	}
	return errors.New("no authority is being replaced")
}
