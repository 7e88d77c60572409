/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "complete.h"

#include <stdio.h>

/* COMP_WORDBREAKS has '=' and ':' in it, so that they are words of their own: bash(1),
 * "Programmable Completion". */
static const char body[] =
    "_banger_reply() {\n"
    "    local way=$1 cur=$2 kind rest\n"
    "    kind=${way%% *}\n"
    "    rest=${way#\"$kind\"}\n"
    "    case $kind in\n"
    "    words) COMPREPLY=($(compgen -W \"$rest\" -- \"$cur\")) ;;\n"
    "    list) COMPREPLY=($(compgen -W \"$(_banger_list $rest)\" -- \"$cur\")) ;;\n"
    "    copy)\n"
    "        compopt -o filenames -o nospace 2>/dev/null\n"
    "        COMPREPLY=($(compgen -W \"$(_banger_list $rest | sed 's/$/:/')\" -- \"$cur\")"
    " $(compgen -f -- \"$cur\"))\n"
    "        ;;\n"
    "    files)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_banger() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} path='' option='' way='' count=0 i word\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == -- ]]; then\n"
    "            return # the guest's command line\n"
    "        elif [[ $word == '=' ]]; then\n"
    "            continue\n"
    "        elif [[ -n $option ]]; then\n"
    "            option=''\n"
    "        elif [[ $word == -* ]]; then\n"
    "            [[ -n $(_banger_value \"$path\" \"$word\") ]] && option=$word\n"
    "        elif [[ $count -eq 0 ]] && _banger_known \"${path:+$path }$word\"; then\n"
    "            path=${path:+$path }$word\n"
    "        else\n"
    "            count=$((count + 1))\n"
    "        fi\n"
    "    done\n"
    "    [[ $cur == '=' ]] && cur=''\n"
    "    if [[ -n $option ]]; then\n"
    "        _banger_reply \"$(_banger_value \"$path\" \"$option\")\" \"$cur\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(_banger_options \"$path\")\" -- \"$cur\"))\n"
    "    else\n"
    "        way=$(_banger_commands \"$path\")\n"
    "        if [[ -n $way && $count -eq 0 ]]; then\n"
    "            COMPREPLY=($(compgen -W \"$way\" -- \"$cur\"))\n"
    "        else\n"
    "            _banger_reply \"$(_banger_argument \"$path\" \"$count\")\" \"$cur\"\n"
    "        fi\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _banger banger\n";

void complete_bash(void)
{
    (void)printf("# banger completion for bash: source <(banger completion bash)\n\n");
    complete_tables();
    (void)fputs(body, stdout);
}
