/** Where a completion script goes: each asks `kubectl-tidemark __complete` for what fits, and drops the last line, which is for kubectl. */
export const scripts = {
  kubectl: `#!/bin/sh
# kubectl finds this as kubectl_complete-tidemark on the PATH, and asks it while you type 'kubectl tidemark …'.
exec kubectl-tidemark __complete "$@"
`,
  bash: `_kubectl_tidemark() {
  local IFS=$'\\n'
  COMPREPLY=($(kubectl-tidemark __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | sed '$d'))
}
complete -F _kubectl_tidemark kubectl-tidemark
`,
  zsh: `#compdef kubectl-tidemark
_kubectl_tidemark() {
  local -a found
  found=("\${(@f)$(kubectl-tidemark __complete "\${(@)words[2,CURRENT]}" 2>/dev/null | sed '$d')}")
  compadd -a found
}
compdef _kubectl_tidemark kubectl-tidemark
`,
  fish: `complete -c kubectl-tidemark -f -a '(kubectl-tidemark __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null | sed \\$d)'
`,
} as const;

export type Shell = keyof typeof scripts;

export const shells: readonly Shell[] = ['kubectl', 'bash', 'zsh', 'fish'];
