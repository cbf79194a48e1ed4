package clustercmd

import (
	"strings"

	"github.com/spf13/cobra"
)

// certCommand returns the commands of rtmanager cert that concern the certificates of a
// cluster.
func (c commands) certCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert COMMAND",
		Short: "Issue, renew and replace the certificates of a cluster",
		Long: `Cert works on the directory that "cluster init" has created. It connects to no daemon.
The commands are those of "rtmanager cert".

A daemon reads renewed certificates while it runs. Its etcd member reads the authorities
of etcd, in etcd-ca.crt, when it starts: restart the daemons one after another after
each step that changes this file.`,
		Example: `  rtmanager cluster cert list --dir pki
  rtmanager cluster cert issue --dir pki --node eu/eu-2 --host 10.0.1.2
  rtmanager cluster cert renew --dir pki
  rtmanager cluster cert rotate-ca --dir pki --ca etcd`,
		Args: requireNoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sub := range c.CertCommands() {
		sub.Long = strings.ReplaceAll(sub.Long, "rtmanager cert ", "rtmanager cluster cert ")
		sub.Example = strings.ReplaceAll(sub.Example, "rtmanager cert ", "rtmanager cluster cert ")
		cmd.AddCommand(sub)
	}
	return cmd
}
