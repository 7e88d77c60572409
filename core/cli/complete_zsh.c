/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "complete.h"

#include <stdio.h>

static const char body[] =
    "_banger_reply() {\n"
    "    local kind=${1%% *}\n"
    "    local -a rest=(${=${1#$kind}})\n"
    "    case $kind in\n"
    "    words) compadd -- $rest ;;\n"
    "    list) compadd -- ${(f)\"$(_banger_list $rest)\"} ;;\n"
    "    copy)\n"
    "        compadd -S : -- ${(f)\"$(_banger_list $rest)\"}\n"
    "        _files\n"
    "        ;;\n"
    "    files) _files ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_banger() {\n"
    "    local cur=${words[CURRENT]} current='' option='' names word\n"
    "    local -i count=0 i\n"
    "    for ((i = 2; i < CURRENT; i++)); do\n"
    "        word=${words[i]}\n"
    "        if [[ $word == -- ]]; then\n"
    "            return # the guest's command line\n"
    "        elif [[ -n $option ]]; then\n"
    "            option=''\n"
    "        elif [[ $word == -* ]]; then\n"
    "            [[ -n $(_banger_value \"$current\" $word) ]] && option=$word\n"
    "        elif (( count == 0 )) && _banger_known \"${current:+$current }$word\"; then\n"
    "            current=\"${current:+$current }$word\"\n"
    "        else\n"
    "            count+=1\n"
    "        fi\n"
    "    done\n"
    "    if [[ -n $option ]]; then\n"
    "        _banger_reply \"$(_banger_value \"$current\" $option)\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        compadd -- ${=\"$(_banger_options \"$current\")\"}\n"
    "    else\n"
    "        names=$(_banger_commands \"$current\")\n"
    "        if [[ -n $names ]] && (( count == 0 )); then\n"
    "            compadd -- ${=names}\n"
    "        else\n"
    "            _banger_reply \"$(_banger_argument \"$current\" $count)\"\n"
    "        fi\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Sourced, or found in $fpath as _banger and then called at once.\n"
    "if [[ ${funcstack[1]} == _banger ]]; then\n"
    "    _banger \"$@\"\n"
    "else\n"
    "    compdef _banger banger\n"
    "fi\n";

void complete_zsh(void)
{
    (void)printf(
        "#compdef banger\n# banger completion for zsh: as _banger in a folder of $fpath\n\n");
    complete_tables();
    (void)fputs(body, stdout);
}
