package etcdrollouts

import (
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/etcd"
)

// Checks returns the checks of the rollouts and their games, below the prefix of a store.
func Checks(prefix string) []etcd.FamilyCheck {
	keys := keyspace{etcd.TrimPrefix(prefix)}
	return []etcd.FamilyCheck{
		{Prefix: keys.rollouts(), Effect: "the rollout is not carried out", Check: func(kv *mvccpb.KeyValue) error {
			_, err := (&Store{keys: keys}).decodeRollout(kv)
			return err
		}},
		{Prefix: keys.allGames(), Effect: "what the rollout has done with the game is unknown", Check: func(kv *mvccpb.KeyValue) error {
			segments := strings.Split(strings.TrimPrefix(string(kv.GetKey()), keys.allGames()), "/")
			if len(segments) != 2 {
				return fmt.Errorf("%q is not a rollout and a game", strings.Join(segments, "/"))
			}
			for _, segment := range segments {
				if _, err := etcd.UnescapeSegment(segment); err != nil {
					return err
				}
			}
			_, err := decode[rollout.Game](&Store{keys: keys}, kv)
			return err
		}},
	}
}
