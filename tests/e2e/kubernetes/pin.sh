#!/bin/sh
# pin.sh VERSION [FOLDER]: writes go.mod and go.sum that build Kubernetes' own programs, here or in FOLDER.
# The main module of a release replaces its libraries by folders; published, these are modules of their own, v0.x.y.
set -eu
version=${1:?usage: pin.sh VERSION [FOLDER], such as pin.sh 1.37.2}
cd "${2:-$(dirname "$0")}"
rm -f go.mod go.sum
source=$(cd / && go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"GoMod": "\(.*\)",*$/\1/p')
{
	echo 'module connhook/tests/e2e/kubernetes'
	grep -E '^(go|godebug) ' "$source"
	echo 'tool ('
	for program in cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubectl cmd/kubelet \
		test/images/agnhost; do
		echo "k8s.io/kubernetes/$program"
	done
	echo ')'
	echo "require k8s.io/kubernetes v$version"
	echo 'replace ('
	sed -n "s,^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging/.*,\1 => \1 v0.${version#1.},p" "$source"
	echo ')'
} > go.mod
go mod tidy
