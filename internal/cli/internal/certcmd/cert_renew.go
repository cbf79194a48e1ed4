package certcmd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/pki"
)

func (c commands) certRenewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "renew --dir DIR",
		Short: "Renew certificates before they expire",
		Long: `Renew replaces the certificates that expire soon, and those of an authority that was
replaced. The new ones have the same names, hosts and files, and new keys. Copy them to
their machines; programs that run read them without a restart.

The command prints the renewed certificates. It renews nothing that is valid for longer
than --within, so it can run every day.`,
		Example: `  rtmanager cert renew --dir pki
  rtmanager cert renew --dir pki --within 2160h
  rtmanager cert renew --dir pki --all`,
		Args: host.RequireNoArguments,
	}
	dir, validity := certDir(cmd), certValidity(cmd)
	var options pki.RenewOptions
	cmd.Flags().DurationVar(&options.Within, "within", defaultRenewWithin, "renew certificates that expire within this time")
	cmd.Flags().BoolVar(&options.All, "all", false, "renew all certificates")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		if options.Within < 0 {
			return exit.UsageError{Err: fmt.Errorf("--within %s is negative", options.Within), See: cmd.CommandPath()}
		}
		options.Validity = *validity
		return c.withCertDir(*dir, func(d *pki.Directory) error {
			renewed, err := d.Renew(options)
			if err := errors.Join(err, c.printCertificates(renewed)); err != nil {
				return err
			}
			c.PrintMessagef("cert renew", "%s renewed", render.Count(len(renewed), "certificate"))
			return nil
		})
	})
	return cmd
}

// caAll selects both authorities.
const caAll = "all"

func (c commands) certRotateCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-ca --dir DIR [--finish]",
		Short: "Replace an authority without downtime",
		Long: `Rotate-ca replaces an authority in two steps. The order matters: a program must trust
the new authority before it meets a certificate of it.

  1. rtmanager cert rotate-ca --dir DIR
     Every ca.crt (etcd-ca.crt) below DIR now has the new and the previous authority.
     Copy these files to all daemons and clients, and wait until all have them.
  2. rtmanager cert renew --dir DIR
     All certificates are now those of the new authority. Copy them and their keys.
  3. rtmanager cert rotate-ca --dir DIR --finish
     The previous authority is removed from every ca.crt. Copy these files.

The embedded etcd of a daemon reads etcd-ca.crt when it starts: after the steps 1 and 3,
restart the daemons of a cluster one after another.

An authority whose key is known to others must be replaced at once: do all steps without
waiting. Daemons reject clients whose authority is removed, also on open connections.`,
		Example: `  rtmanager cert rotate-ca --dir pki
  rtmanager cert rotate-ca --dir pki --ca etcd
  rtmanager cert rotate-ca --dir pki --finish`,
		Args: host.RequireNoArguments,
	}
	dir := certDir(cmd)
	name := cmd.Flags().String("ca", caAll, "authority to replace: `api|etcd|all`")
	isFinish := cmd.Flags().Bool("finish", false, "remove the previous authority; all certificates must have been renewed")
	validity := cmd.Flags().Duration("ca-validity", defaultCAValidity, "how long the new authority is valid")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		kinds := pki.Kinds()
		if *name != caAll {
			kinds = []pki.Kind{pki.Kind(*name)}
		}
		if !slices.Contains(pki.Kinds(), kinds[0]) {
			return exit.UsageError{Err: fmt.Errorf("--ca %q is not an authority; use api, etcd or all", *name), See: cmd.CommandPath()}
		}
		return c.withCertDir(*dir, func(d *pki.Directory) error { return c.rotateCA(d, kinds, *validity, *isFinish) })
	})
	return cmd
}

func (c commands) rotateCA(d *pki.Directory, kinds []pki.Kind, validity time.Duration, isFinish bool) error {
	if isFinish {
		if err := d.FinishRotation(kinds); err != nil {
			return err
		}
		c.PrintMessagef("cert rotate-ca", "the previous authority is removed; copy the files of authorities to all daemons and clients%s", restartAdvice(kinds))
		return nil
	}
	err := d.RotateCA(kinds, validity)
	if errors.Is(err, pki.ErrRotating) {
		return exit.HintError{Err: err, Hint: "complete it with `rtmanager cert renew` and `rtmanager cert rotate-ca --finish`"}
	}
	if err != nil {
		return err
	}
	c.PrintMessagef("cert rotate-ca", "copy the files of authorities to all daemons and clients%s; then run `rtmanager cert renew`, copy the certificates, and run `rtmanager cert rotate-ca --finish`", restartAdvice(kinds))
	return nil
}

// restartAdvice returns what a new file of the authorities of etcd requires.
func restartAdvice(kinds []pki.Kind) string {
	if !slices.Contains(kinds, pki.Etcd) {
		return ""
	}
	return ", and restart the daemons that embed etcd, one after another"
}
