package operator

import (
	"context"
	"strings"

	"galaxy/rtmanager/internal/testkit/regions"
)

// EnableAuthentication creates a user for the daemons, whose password it writes to a new file, and makes etcd
// authenticate requests, by the command line. The other file has the password of the user root.
func EnableAuthentication(ctx context.Context, cluster *regions.Cluster, user, passwordFile, rootPasswordFile string) error {
	return run(ctx, "etcd", "bootstrap", "--etcd-endpoints", strings.Join(cluster.Endpoints(), ","), "--user", user,
		"--password-file", passwordFile, "--root-password-file", rootPasswordFile, "--enable-auth")
}
