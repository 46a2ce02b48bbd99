# Completes `lab` and `./lab` in fish.

function __lab_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    # What stands before a file in the same word, as in --out=FILE
    set -l before (string match -r -- '^--[^=]*=' $word)
    set -l file (string replace -r -- '^--[^=]*=' '' $word)
    for line in (@LAB@ --complete $words[2..-1] "$word" 2> /dev/null)
        switch $line
            case ':nospace'
            case ':files'
                printf '%s\n' "$before"(__fish_complete_path "$file")
            case ':folders'
                printf '%s\n' "$before"(__fish_complete_directories "$file" '')
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c lab -f -a '(__lab_complete)'
