# shellcheck shell=bash
# The control plane's official release binaries, for a machine with the internet and no Go. Each file is checked
# against the checksum its project publishes. Sourced by control-plane.sh.

# fetch URL FILE
fetch() {
  with_progress "download ${1##*/}" curl --fail --silent --show-error --location --retry 3 --max-time 900 -o "$2" "$1"
}

# has_sum FILE SHA256
has_sum() {
  local sum
  sum=$(sha256sum "$1")
  [ "${sum%% *}" = "$2" ] || { say "${1##*/} does not have the checksum its project publishes"; return 1; }
}

# download DIRECTORY KUBERNETES ETCD ARCH
download() {
  local into=$1 kubernetes=$2 etcd=$3 arch=$4 name url archive=etcd-$3-linux-$4.tar.gz
  command -v curl >/dev/null || { say 'curl is missing, and nothing can be downloaded without it'; return 1; }
  for name in kube-apiserver kube-controller-manager kubectl; do
    url=https://dl.k8s.io/release/$kubernetes/bin/linux/$arch/$name
    fetch "$url" "$into/$name" && fetch "$url.sha256" "$into/sum" && has_sum "$into/$name" "$(cat "$into/sum")" || return 1
    chmod +x "$into/$name"
  done
  url=https://github.com/etcd-io/etcd/releases/download/$etcd
  fetch "$url/$archive" "$into/$archive" && fetch "$url/SHA256SUMS" "$into/sum" || return 1
  has_sum "$into/$archive" "$(awk -v f="$archive" '$2 == f {print $1}' "$into/sum")" || return 1
  tar -xzf "$into/$archive" -C "$into" --strip-components=1 "${archive%.tar.gz}/etcd" || return 1
  rm "$into/sum" "$into/$archive"
}
